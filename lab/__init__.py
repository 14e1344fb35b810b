"""Real hosts on one machine: systemd-nspawn containers with real systemd, sshd, addresses and names.

The lab knows nothing about the product: it gives it bare Debian hosts, a DNS that serves the zones it is handed, and
one foreign mail server. :mod:`lab.lab` is the entrance.
"""
