"""The one virus signature that there is in the lab: nothing fetches any there, and no virus is needed to match it."""

from __future__ import annotations

TEXT = "EDUMAIL-LAB-CHU-KY-THU-KHONG-PHAI-VIRUS"
"""What is found as a virus in the lab, and harmless everywhere."""
NAME = "Edumail.Lab.Test"
FILE = "var/lib/clamav/lab.ndb"
LINE = f"{NAME}:0:*:{TEXT.encode().hex()}\n"
"""The signature in ClamAV's own form: any kind of file, anywhere in it, these bytes."""
