"""From a spreadsheet as schools have them to the inventory's own files.

``sheet`` reads bytes, ``headers`` finds the columns, ``table`` makes rows of people, ``matching`` says who is who,
``addresses`` gives addresses, ``plan`` puts it together, ``write`` puts it on the disk.
"""
