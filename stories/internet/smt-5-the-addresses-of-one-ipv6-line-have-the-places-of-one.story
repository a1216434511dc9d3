# Whoever has a /64 has more addresses than anybody can count; they count as one, and the neighbour is none of them.
host a.test: Hearthpost with alice

2001:db8:113:7::/64 opens 55 connections to a.test: 50 are let in
2001:db8:113:8::/64 opens 1 connection to a.test: 1 is let in
