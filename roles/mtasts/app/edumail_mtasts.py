#!/usr/bin/python3 -B
"""Debian's postfix-mta-sts-resolver, which makes way for DANE.

Its answer to Postfix replaces the level "dane", so that a key which DNS proves wrong would pass with any public
certificate; RFC 8461, section 2 forbids that. Where a policy would apply, this asks DNS first, as Postfix does
(RFC 7672): when an exchanger's address and TLSA records are signed, the policy is kept back, and Postfix verifies the
key.
"""

import sys

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.resolver
from postfix_mta_sts_resolver import daemon, netstring
from postfix_mta_sts_resolver.responder import STSSocketmapResponder
from postfix_mta_sts_resolver.utils import filter_domain

NOT_FOUND = netstring.encode(b"NOTFOUND ")
SMTP = dns.name.Name((b"_25", b"_tcp"))
DANE_TA, DANE_EE = 2, 3  # the usages that Postfix verifies (RFC 7672, 3.1)


class DaneFirst(STSSocketmapResponder):
    """Answers "not found" for a domain whose exchangers have keys in signed DNS."""

    async def process_request(self, raw_req):
        """The answer to one look-up."""
        answer = await super().process_request(raw_req)
        if answer == NOT_FOUND:
            return answer
        try:
            dane = await has_dane(filter_domain(raw_req.decode().partition(" ")[2]))
        except dns.exception.DNSException as error:
            return netstring.encode(f"TEMP {type(error).__name__}".encode())  # the message waits
        return NOT_FOUND if dane else answer


async def has_dane(domain):
    """Whether Postfix can verify every exchanger of ``domain`` by DANE. Raises DNSException."""
    resolver = dns.asyncresolver.Resolver()
    resolver.use_edns(0, dns.flags.DO, 1232)

    async def ask(name, kind):
        try:
            return await resolver.resolve(name, kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return None

    async def has_keys(exchanger):
        address = await ask(exchanger, "A")
        # Where addresses are not signed nothing else is: servers there may even fail to answer for TLSA.
        if address is None or not address.response.flags & dns.flags.AD:
            return False
        for name in {address.canonical_name, exchanger}:
            keys = await ask(SMTP + name, "TLSA")
            signed = keys is not None and keys.response.flags & dns.flags.AD
            if signed and any(key.usage in (DANE_TA, DANE_EE) for key in keys):
                return True
        return False

    answer = await ask(domain, "MX")
    if answer is None or not answer.response.flags & dns.flags.AD:
        return False  # whoever can forge an exchanger's name has keys of his own for it
    exchangers = [record.exchange for record in answer] or [dns.name.from_text(domain)]
    return all([await has_keys(exchanger) for exchanger in exchangers])


if __name__ == "__main__":
    daemon.STSSocketmapResponder = DaneFirst
    sys.exit(daemon.main())
