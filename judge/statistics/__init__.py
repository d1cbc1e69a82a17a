"""Measures, intervals and estimates that agreement, calibration and audits share."""
