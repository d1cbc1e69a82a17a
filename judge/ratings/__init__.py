"""People's grades: read, and several raters' made one."""
