#!/bin/bash
# Looks at the service from inside its machine and writes what it finds, a fact a line: NAME VALUE.
fact() { echo "$1 ${*:2}"; }
state() { systemctl is-active hearthpost; }
main() { systemctl show -p MainPID --value hearthpost; }
# Asks again for a minute at most until the command succeeds: on a busy machine everything may take its time.
until_so() { for _ in $(seq 600); do "$@" && return; sleep 0.1; done; }
# The first line that a door says, plain or under TLS.
banner() { timeout 60 bash -c "exec 3<>/dev/tcp/127.0.0.1/$1; read -r line <&3; echo \"\$line\""; }
handshake() { echo | timeout 60 openssl s_client -connect 127.0.0.1:993 -brief 2>&1 | grep -c '^CONNECTION ESTABLISHED'; }
rights() { for part in Uid CapEff NoNewPrivs Seccomp; do sed -n "s/^$part:[[:space:]]*//p" "/proc/$1/status"; done | tr '\n\t' '  '; }
is_active() { [ "$(state)" = active ]; }
was_restarted() { [ "$(systemctl show -p NRestarts --value hearthpost)" = 1 ]; }
settings_read() { journalctl -u hearthpost -o cat | grep -c program.settings-read; }
# The journal takes a line a moment after it was written.
settings_were_read() { [ "$(settings_read)" != 0 ]; }

fact started "$(state)"
fact expected_uid "$(id -u hearthpost)"
keeper=$(pgrep -P "$(main)")
fact server_rights "$(rights "$(main)")"
fact keeper_rights "$(rights "$keeper")"
fact smtp "$(banner 25)"
fact handshakes "$(handshake)"
fact status_command "$(hearthpost status --data /var/lib/hearthpost --json | head -c 1)"
systemctl reload hearthpost
until_so settings_were_read
# While the server reads them, the unit is `reloading`.
until_so is_active
fact reloaded "$(state) $(handshake)"
fact settings_read "$(settings_read)"
kill -KILL "$keeper"
until_so was_restarted
until_so is_active
fact without_keeper "$(state) $(handshake)"
began=$(date +%s%N)
systemctl stop hearthpost
fact stopped "$(systemctl show -p Result --value hearthpost) $(( ($(date +%s%N) - began) / 1000000 ))"
systemctl start hearthpost
fact again "$(state)"
systemctl stop hearthpost
# The doors by systemd: then the service needs no capability at all.
mkdir -p /etc/systemd/system/hearthpost.service.d
printf '[Service]\nAmbientCapabilities=\nCapabilityBoundingSet=\n' > /etc/systemd/system/hearthpost.service.d/no-capability.conf
systemctl daemon-reload
systemctl start hearthpost.socket
fact socket_before "$(state)"
fact socket_smtp "$(banner 25)"
until_so is_active
fact socket_after "$(state) $(handshake)"
fact socket_bounds "$(sed -n 's/^CapBnd:[[:space:]]*//p' "/proc/$(main)/status")"
fact end reached
{ systemctl status --no-pager hearthpost; journalctl --no-pager | tail -60; } >&2
systemctl exit 0
