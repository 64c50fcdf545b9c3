"""What tracing costs, measured: `python -m bench` compares variants of one service in one run. Not part of the product."""
