"""Better than the winner, from the trials that exist, without training.

Each kind of :data:`sweeper.improve.kinds.KINDS` is chosen on one half of the validation images and
judged on the other.
"""
