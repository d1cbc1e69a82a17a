"use strict";
// Only what is ticked and has all the words that are typed stays. Without scripts everything is there.
const flags = [...document.querySelectorAll(".flag")];
const field = document.getElementById("words");
const boxes = [...document.querySelectorAll(".filter input[type=checkbox]")];
if (field) {
  const texts = flags.map((flag) => flag.textContent.toLowerCase());
  const apply = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = boxes.filter((box) => box.checked).map((box) => box.value);
    let shown = 0;
    flags.forEach((flag, at) => {
      const types = flag.dataset.types.split(" ");
      flag.hidden = !(wanted.some((type) => types.includes(type)) && words.every((word) => texts[at].includes(word)));
      shown += flag.hidden ? 0 : 1;
    });
    document.getElementById("shown").textContent = `${shown} of ${flags.length} shown`;
  };
  document.querySelector(".filter").hidden = false;
  field.addEventListener("input", apply);
  for (const box of boxes) box.addEventListener("change", apply);
  apply();
}
// Links lead to the review page where it serves this report, and nowhere from a file.
if (location.protocol === "http:") {
  for (const item of document.querySelectorAll(".go")) item.hidden = false;
  for (const item of document.querySelectorAll(".file")) item.hidden = true;
}
