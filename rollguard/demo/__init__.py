"""The demo: real tools on an embedded stack, some of them broken on purpose."""
