"""The engine against a model venue under random trouble: the model's truth is the judge."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cancel_tui.desk.engine import Verdict
from cancel_tui.orders import Side
from cancel_tui.scope import Scope, fold
from tests.desk.model import Manners, Model

SCOPES = (
    Scope(raw={}),
    Scope(sides=frozenset({Side.BUY}), raw={"side": ["buy"]}),
    Scope(symbols=fold(["AAA"]), raw={"symbol": ["AAA"]}),
)

chance = st.sampled_from([0.0, 0.0, 0.1, 0.3])
manners = st.builds(
    Manners,
    reads=st.booleans(),
    lists_closed=st.booleans(),
    native=st.booleans(),
    scarce=st.booleans(),
    two_phase=st.sampled_from([0.0, 0.3, 2.0]),
    lost=chance,
    not_sent=chance,
    throttled=chance,
    refused=chance,
    list_fails=chance,
    fills=st.sampled_from([0.0, 0.5, 3.0]),
    newcomers=st.sampled_from([0.0, 0.0, 1.0]),
    native_lies=st.booleans(),
    lag=st.sampled_from([0.0, 0.7]),
    past_windows=st.sampled_from([0, 0, 3]),
)


def explain(model: Model) -> str:
    tracks = "\n".join(
        f"  {t.key.order_id} {t.stage} sighted={t.sighted} try={t.next_try:.2f} read={t.next_read:.2f}"
        f" reads={t.reads} lost={t.lost} attempts={t.attempts} truth={model.truths[t.key].status}"
        for t in model.engine.tracks.values()
        if not t.stage.settled
    )
    return f"{model.claims}\nnow={model.now:.2f} requests={model.requests}\n{model.manners}\n{tracks}"


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(manners, st.sampled_from(SCOPES), st.integers(0, 2**32))
def test_nothing_that_is_said_contradicts_the_truth_and_every_kill_ends_flat(
    how: Manners, scope: Scope, seed: int
) -> None:
    model = Model(how, scope, seed)
    model.run()
    assert not model.claims, explain(model)
    assert not model.live(), explain(model)
    assert model.engine.verdict is Verdict.FLAT, explain(model)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(manners, st.sampled_from(SCOPES), st.integers(0, 2**32), st.sampled_from([2.0, 10.0, 30.0]))
def test_past_the_deadline_nothing_new_leaves_and_nothing_live_is_called_over(
    how: Manners, scope: Scope, seed: int, deadline: float
) -> None:
    model = Model(how, scope, seed, deadline=deadline)
    model.run()
    assert not model.claims, explain(model)
    assert model.now < deadline + 20.0, explain(model)
    if model.engine.verdict is Verdict.FLAT:
        assert not model.live()
