"""Problems as pages: what went wrong and where to go from there, in the design of the rest. Programs get RFC 9457's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fastapi import Request, Response

from voc_stream.web.pages.render import render
from voc_stream.web.problems import Problem
from voc_stream.web.texts import N_
from voc_stream.web.who import Caller


class Told(NamedTuple):
    """What a person is told of a status: a title, what it means, and a symbol of icons.svg."""

    title: str
    text: str
    icon: str


TOLD: Mapping[int, Told] = {
    400: Told(N_("This cannot be understood"), N_("Something in the address or in the form is not as it should be."), "warn"),
    401: Told(N_("Please sign in"), N_("Your session has ended, or there was none."), "lock"),
    403: Told(N_("You may not see this"), N_("Your access does not include this page. Whoever gave you the access can widen it."), "lock"),
    404: Told(N_("Nothing is here"), N_("The address is wrong, what was here is gone, or it belongs to somebody else."), "search"),
    405: Told(N_("This cannot be done here"), N_("The page does not know what was asked of it."), "warn"),
    413: Told(N_("This is too much at once"), N_("What was sent is larger than the server takes."), "warn"),
    422: Told(N_("This cannot be understood"), N_("Something in the address or in the form is not as it should be."), "warn"),
    429: Told(N_("A moment, please"), N_("There were too many requests in a short time. Wait a little and try again."), "clock"),
    503: Told(N_("Something that we need does not answer"), N_("It is being tried again all the time. Your calls are not lost: they wait."), "clock"),
}
OTHER = Told(N_("That went wrong"), N_("The fault is on our side, and it is written down. Try again; if it stays, tell whoever runs this."), "warn")


def trouble(request: Request, problem: Problem) -> Response | None:
    """Return a problem as a page where a person will read it; None where it is a program that asked."""
    if not wants_page(request):
        return None
    caller = getattr(request.state, "caller", None)
    return render(
        request,
        "trouble.html",
        caller if isinstance(caller, Caller) else None,
        status=problem.status,
        headers=problem.headers,
        problem=problem,
        told=TOLD.get(problem.status, OTHER),
    )


def wants_page(request: Request) -> bool:
    """Whether a browser shows the answer: it names HTML before all else, as programs do not."""
    first = request.headers.get("accept", "").split(",")[0].split(";")[0].strip().lower()
    return first in {"text/html", "application/xhtml+xml"}
