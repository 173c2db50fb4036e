"""What the tests of faults share: whom to kill when, what to damage how, and what must hold after.

``program`` starts the command and reads its study; ``moments`` kills; ``damage`` damages;
``invariants`` checks.
"""
