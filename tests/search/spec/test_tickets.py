"""Lottery tickets as a job asks for them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from espalier.search.spec import TicketRates, Tickets


def test_what_is_held_against_tickets_does_not_change_how_they_are_found() -> None:
    some = Tickets(rounds=3, controls=("reinit",), cut=0.3)
    other = Tickets(rounds=9, controls=("random",), cut=0.3)
    assert some.rates == other.rates == TicketRates(cut=0.3)
    assert type(some.rates) is TicketRates


@pytest.mark.parametrize("changes", [{"cut": 0}, {"conv_cut": 1.0}, {"rewind_steps": -1}, {"layers": "none"}])
def test_rates_have_limits(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TicketRates.model_validate(changes)
