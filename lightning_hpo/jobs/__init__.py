"""What a study's jobs do, in whatever process they run: preparation, trial, fold, refit.

``run`` is the door. Configuration stops here: ``build`` makes the objects, and what lies below
takes plain arguments.
"""
