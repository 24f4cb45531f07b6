"""How fast winit is, as figures measured side by side in one run; see docs/performance.md."""
