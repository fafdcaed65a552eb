"""How often somebody is called with how far work is."""

from sweeper.advance import once_a_second


def test_work_with_many_steps_is_reported_once_a_second() -> None:
    calls, now = list[tuple[str, int, int]](), [5.0]
    on_advance = once_a_second(lambda *call: calls.append(call), lambda: now[0])
    for done in range(1, 25):
        on_advance("decoding", done, 24)
        now[0] += 0.125
    on_advance("testing", 1, 2)
    on_advance("testing", 2, 2)
    assert calls == [
        *(("decoding", done, 24) for done in (1, 9, 17)),
        ("testing", 1, 2),
    ]
