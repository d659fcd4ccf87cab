# A task under chaos. It writes its own evidence, with builtins alone and each line by one append:
#   <word> <task> <attempt> <pid> <seconds since boot> <detail>
# begin: detail is the start time of this process in ticks; end: detail is the code it is about to exit with.
#
#   sh task.sh EVIDENCE KIND CODE SECONDS GATE
evidence=$1 kind=$2 code=$3 seconds=$4 gate=$5 script=$0

say() {
  read -r up rest </proc/uptime
  echo "$1 $HOLDFAST_TASK $HOLDFAST_ATTEMPT $$ $up $2" >>"$evidence"
}

finish() {
  say end "$code"
  exit "$code"
}

# What a brood leaves behind: nothing but its marker connects it with the task.
if [ "$kind" = child ]; then
  trap '' TERM HUP
  say child 0
  sleep "$seconds"
  exit 0
fi

read -r stat </proc/$$/stat
stat=${stat##*) }
# shellcheck disable=SC2086
set -- $stat
say begin "${20}"

case $kind in
quick) finish ;;
long)
  sleep "$seconds"
  finish
  ;;
gate)
  until [ -e "$gate" ]; do sleep 0.3; done
  finish
  ;;
stubborn)
  trap '' TERM
  sleep "$seconds"
  finish
  ;;
late)
  # Told to stop, it takes its time and still has something to say.
  trap 'say told 0; sleep 0.2; say late 0; exit 0' TERM
  sleep "$seconds" &
  wait $!
  finish
  ;;
suspend)
  # Its shim stands still when the command ends, and has a record to write.
  sleep "$seconds"
  kill -STOP "$PPID"
  finish
  ;;
freeze)
  # All of it stands still, until a limit or somebody ends it.
  kill -STOP 0
  finish
  ;;
brood)
  setsid /bin/sh "$script" "$evidence" child 0 30 - >/dev/null 2>&1 </dev/null &
  (setsid /bin/sh "$script" "$evidence" child 0 30 - >/dev/null 2>&1 </dev/null &)
  sleep "$seconds"
  finish
  ;;
loud)
  n=0
  while [ "$n" -lt 400 ]; do
    echo "line $n of $HOLDFAST_TASK: 0123456789012345678901234567890123456789"
    n=$((n + 1))
  done
  sleep "$seconds"
  finish
  ;;
*) exit 99 ;;
esac
