from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from relay.adapters.web.intake_answers import SUCCESS_ON_KEPT_CONNECTION, success


def test_only_a_kept_connection_gets_the_shared_answer() -> None:
    assert success(make_mocked_request("POST", "/")) is SUCCESS_ON_KEPT_CONNECTION
    assert (
        success(make_mocked_request("POST", "/", {"Origin": "https://shop.example.com"}))
        is not SUCCESS_ON_KEPT_CONNECTION
    )


async def test_nothing_is_written_to_a_client_that_went_away() -> None:
    request = make_mocked_request("POST", "/")
    assert request.transport is not None
    request.transport.is_closing.return_value = True  # type: ignore[attr-defined]
    with pytest.raises(ConnectionResetError):
        await SUCCESS_ON_KEPT_CONNECTION.prepare(request)
