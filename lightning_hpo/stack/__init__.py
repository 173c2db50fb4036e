"""The network axis: many small networks trained as one, with weights of shape (networks, in, out).

Small networks cost overhead, not arithmetic. Folds are the first use of that axis, trials the
second. Everything here is one network's arithmetic, done for all of them at a time: no network sees
its neighbours, and each ends as if it had been trained alone.
"""
