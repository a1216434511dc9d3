//! A message arrives: connection, sender, recipient, content, verdict, one durable commit.
