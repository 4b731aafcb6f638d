"""Which addresses a request may go to whose URL somebody else wrote (OWASP API7: server-side request forgery)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# A gateway on the way turns these into the IPv4 address in their last bytes (RFC 6052).
_NAT64 = ip_network("64:ff9b::/96")

Address = IPv4Address | IPv6Address


def is_allowed(address: str, *, private: bool) -> bool:
    """Whether a request may go to an address.

    Args:
        address: as a socket takes it, a scope included.
        private: allow loopback and private networks, too. Link-local addresses (a cloud's metadata service) are never allowed.
    """
    try:
        reached = _reached(ip_address(address))
    except ValueError:
        return False
    return all(_is_allowed(part, private=private) for part in reached)


def _is_allowed(address: Address, *, private: bool) -> bool:
    if address.is_loopback:
        return private
    if address.is_multicast or address.is_unspecified or address.is_link_local or address.is_reserved:
        return False
    return private or (address.is_global and not getattr(address, "is_site_local", False))


def _reached(address: Address) -> list[Address]:
    """Return where a packet to this address may end: an IPv6 address may carry an IPv4 address."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [IPv4Address(address.packed[-4:])]
    carried = (address.sixtofour, *(address.teredo or ()))
    return [address, *(inner for inner in carried if inner is not None)]
