//! Accepted messages: who still waits, when next, why. Where receiving and delivering meet.
