"""All faults by name: see the three modules."""

from __future__ import annotations

from collections.abc import Mapping

from tests.mutation import faults_hosts, faults_mail, faults_portal
from tests.mutation.fault import Fault

FAULTS: Mapping[str, Fault] = {**faults_mail.FAULTS, **faults_portal.FAULTS, **faults_hosts.FAULTS}
