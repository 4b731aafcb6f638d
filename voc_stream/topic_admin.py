"""`faust -A voc_stream topics`: make the topics that are missing, and say where the others differ. It never alters one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from voc_stream.clients.kafka_tokens import kafka_tokens
from voc_stream.errors import OutageError, OutsideError, RejectedError
from voc_stream.settings import Settings
from voc_stream.topics import Topic, all_topics

NAME = "kafka"
_TIMEOUT_SECONDS = 30.0
_SETTLE_SECONDS = 15.0

Found = dict[str, dict[str, str]]


async def run(settings: Settings, echo: Callable[[str], None]) -> int:
    """Create what is missing, then compare everything with what it should be.

    Args:
        settings: KAFKA_*.
        echo: takes each line of the report.

    Returns:
        0: all as expected; 1: something differs; 2: Kafka cannot be reached or refuses.
    """
    wanted = {topic.name: topic for topic in all_topics(settings)}
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS * 2), _admin(settings) as admin:
            created = await create_missing(admin, wanted.values(), settings.replication)
            found = await _settled(admin, wanted)
    except OutsideError as error:
        echo(str(error))
        return 2
    except TimeoutError:
        echo(f"{NAME}: no answer in time from {', '.join(settings.kafka_bootstrap)}")
        return 2
    for name in created:
        echo(f"created {name} ({wanted[name].partitions} partitions)")
    problems = differences(wanted, found, settings.replication)
    for problem in problems:
        echo(problem)
    echo(f"topics: {len(wanted)} wanted, {len(created)} created, {len(problems)} differences" + (" (nothing altered)" if problems else ""))
    return 1 if problems else 0


async def create_missing(admin: AIOKafkaAdminClient, wanted: Iterable[Topic], replication: int) -> list[str]:
    """Create the topics that are not there; return their names.

    Raises:
        RejectedError: Kafka refuses one of them.
    """
    there = set(await admin.list_topics())
    missing = [topic for topic in wanted if topic.name not in there]
    if not missing:
        return []
    request = [NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config(replication)) for topic in missing]
    response = await admin.create_topics(request)
    created = []
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if code == 0:
            created.append(name)
        elif error is not TopicAlreadyExistsError:  # another one was faster: then it is there
            raise RejectedError(NAME, f"cannot create {name}: {error.__name__} {' '.join(filter(None, message))}".rstrip())
    return created


def differences(wanted: Mapping[str, Topic], found: Found, replication: int) -> list[str]:
    """Return a sentence for each setting of each topic that is not as wanted."""
    problems = []
    for name, topic in wanted.items():
        if name not in found:
            problems.append(f"{name}: missing")
            continue
        expected = {"partitions": str(topic.partitions), "replication": str(replication), **topic.config(replication)}
        problems += [f"{name}: {key} is {found[name].get(key)}, expected {value}" for key, value in expected.items() if found[name].get(key) != value]
    return problems


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=list(settings.kafka_bootstrap),
        client_id="voc-stream-topics",
        request_timeout_ms=int(_TIMEOUT_SECONDS * 1000),
        **kafka_security(settings),
    )
    try:
        await admin.start()
        yield admin
    except KafkaError as error:
        raise OutageError(NAME, f"cannot be reached at {', '.join(settings.kafka_bootstrap)} ({type(error).__name__})") from error
    finally:
        await admin.close()


def kafka_security(settings: Settings) -> dict[str, Any]:
    """Return what a client of aiokafka needs to be let in."""
    options: dict[str, Any] = {"security_protocol": settings.kafka_security_protocol}
    if settings.kafka_security_protocol.endswith("SSL"):
        context = ssl.create_default_context(cafile=settings.kafka_ssl_ca_file)
        if settings.kafka_ssl_cert_file:
            context.load_cert_chain(settings.kafka_ssl_cert_file, settings.kafka_ssl_key_file)
        options["ssl_context"] = context
    if settings.kafka_security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        if settings.kafka_sasl_mechanism == "OAUTHBEARER":
            options["sasl_oauth_token_provider"] = kafka_tokens(settings)
        else:
            options["sasl_plain_username"] = settings.kafka_sasl_username
            options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    return options


async def _settled(admin: AIOKafkaAdminClient, wanted: Mapping[str, Topic]) -> Found:
    """Describe the topics once every one is known to the brokers, which takes a moment after its creation."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _SETTLE_SECONDS
    while True:
        found = await _describe(admin, wanted)
        if found.keys() >= wanted.keys() or loop.time() > deadline:
            return found
        await asyncio.sleep(0.1)


async def _describe(admin: AIOKafkaAdminClient, wanted: Mapping[str, Topic]) -> Found:
    there = sorted(set(await admin.list_topics()) & wanted.keys())
    if not there:
        return {}
    found: Found = {}
    for topic in await admin.describe_topics(there):
        if topic["error_code"] == 0 and topic["partitions"]:
            replicas = {len(partition["replicas"]) for partition in topic["partitions"]}
            found[topic["topic"]] = {"partitions": str(len(topic["partitions"])), "replication": "/".join(map(str, sorted(replicas)))}
    for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in there]):
        for resource in response.to_object()["resources"]:
            entries = {entry["config_names"]: entry["config_value"] for entry in resource["config_entries"]}
            found.get(resource["resource_name"], {}).update(entries)
    return found
