"""How durations and shares are written in sentences."""


def ms(nanoseconds: int) -> str:
    """`1,103 ms`; below 10 ms with one decimal."""
    value = nanoseconds / 1e6
    return f"{value:,.0f} ms" if abs(value) >= 9.95 or value == 0 else f"{value:.1f} ms"


def percent(share: float) -> str:
    """`98 %`; `<1 %` for what is there but rounds to nothing."""
    if 0 < share < 0.005:
        return "<1 %"
    return f"{100 * share:.0f} %"
