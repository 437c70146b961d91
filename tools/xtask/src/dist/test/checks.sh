#!/bin/sh
# Runs in a system with the package installed, as a unit that systemd starts. What it prints is kept in
# a file beside it; another file says that all went well. In the end the system stops.

exec >/octopoid-checks.log 2>&1

check() {
  set -e
  export HOME=/root OCTOPOID_SERVER=http://127.0.0.1:8787

  echo "the service is started with the system"
  systemctl is-active octopoid.socket octopoid.service
  octopoid health

  echo "it is ready, under a user of its own, and its data is where only that user can look"
  test "$(systemctl show --property=StatusText --value octopoid.service)" = \
    "listening on http://127.0.0.1:8787"
  test "$(stat --dereference --format=%a /var/lib/octopoid)" = 700
  test -s /var/lib/octopoid/octopoid.db
  process=$(systemctl show --property=MainPID --value octopoid.service)
  test "$(stat --format=%u "/proc/$process")" -ge 61184

  echo "keys are needed, and the token of the administrator is in its file"
  if octopoid key list --scope demo; then exit 1; fi
  . /etc/octopoid/server.env
  OCTOPOID_KEY=$API_SECRET_KEY octopoid key issue --scope demo --label first >/dev/null

  echo "the tour works with this package; its output is compared afterwards"
  (cd && env -i HOME="$HOME" PATH="$PATH" timeout 240 bash /octopoid-tour.sh >/octopoid-tour.log)

  echo "no connection is refused while the service restarts"
  (
    while [ ! -e /restarted ]; do octopoid health --quiet || touch /refused; done
    touch /asked
  ) &
  for _ in 1 2 3; do systemctl restart octopoid.service; done
  touch /restarted
  wait
  test -e /asked
  test ! -e /refused

  # The starts so far do not count.
  systemctl reset-failed octopoid.service
  echo "a server that hangs is started again by the watchdog"
  mkdir -p /run/systemd/system/octopoid.service.d
  printf '[Service]\nWatchdogSec=2\n' >/run/systemd/system/octopoid.service.d/short.conf
  systemctl daemon-reload
  systemctl restart octopoid.service
  kill -STOP "$(systemctl show --property=MainPID --value octopoid.service)"
  # It is asked while it hangs: the answer is that of the next process.
  octopoid health
  test "$(systemctl show --property=NRestarts --value octopoid.service)" -ge 1
}

# Not as a condition, which would switch off `set -e` in the function.
(check)
verdict=$?
if [ "$verdict" = 0 ]; then
  touch /octopoid-checks.passed
else
  systemctl --no-pager --full status octopoid.service octopoid.socket
  journalctl --no-pager --unit octopoid.service --lines 50
fi
systemctl poweroff --no-block 2>/dev/null || systemctl poweroff --force --force
