"""ClickHouse's engine over HTTP: chdb behind an aiohttp server, for machines without ClickHouse."""
