"""What a catalogue says of the candidates of ratings that no run knows."""

from judge.ratings.candidates import read_texts


def test_the_id_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "catalogue.csv"
    path.write_text("candidate_id,title,description\nP1,Lamp,bright\nP-with-a-long-id,Lamp,bright\nP3,,\n")
    found = read_texts(path, {})
    assert [found[name]["text_length"] for name in ("P1", "P-with-a-long-id", "P3")] == ["10", "10", ""]
