"""Deliberate breaks, of the kind that a tired engineer makes, and the tests that must notice each.

`areas/AREA.toml` has them: what goes wrong, in which file, one place of its text and what stands
there instead, and the test folder or file that must turn red. `make sabotage` applies each to a
copy of the tree and runs that. A break that nothing notices is a missing test, or code that can go.
"""
