//! A message leaves the queue: plan, hand over, outcome.
