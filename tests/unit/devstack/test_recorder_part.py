"""What the recorder's command line says, the workers are told, too."""

from __future__ import annotations

from pathlib import Path

from voc_stream.devstack.folder import StackFolder
from voc_stream.devstack.parts.base import Site
from voc_stream.devstack.parts.recorder import Recorder


def _endpoints(*arguments: str) -> dict[str, str]:
    return Recorder(Site(StackFolder(Path("unused")), {"recorder": "secret"}, {"recorder": 20081}, lambda _: None, arguments)).endpoints()


def test_endpoints_name_the_search_api_and_its_account() -> None:
    endpoints = _endpoints()
    assert endpoints["AVAYA_URL"] == "http://127.0.0.1:20081/searchapi"
    assert (endpoints["AVAYA_PASSWORD"], endpoints["AVAYA_RESULT_CAP"]) == ("secret", "1000")


def test_options_passed_to_the_recorder_reach_the_endpoints_in_either_spelling() -> None:
    endpoints = _endpoints("--timezone", "America/New_York", "--layout=contact", "--calls", "3")
    assert (endpoints["AVAYA_TIMEZONE"], endpoints["AVAYA_LAYOUT"]) == ("America/New_York", "contact")
