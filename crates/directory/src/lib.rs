//! Domains, accounts, aliases, credentials, SASL.
