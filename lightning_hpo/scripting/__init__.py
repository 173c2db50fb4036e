"""From a Python program's classes, ranges and values to the words and files of a study."""
