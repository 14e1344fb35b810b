"""From a spreadsheet as schools have them to the inventory's own files.

``sheet`` reads bytes, ``headers`` finds the columns, ``table`` the rows that are people, ``cells`` what they say;
``matching`` says who is who, ``addresses`` gives addresses, ``plan`` puts it together, ``intake`` tries it in memory,
``write`` makes the files' text, and ``journal`` puts them on the disk as one.
"""
