# The shim: runs one attempt, outlives the agent, leaves the exit record. Given to `sh -c` with the attempt's run
# directory as $0 and the command, its executable an absolute path, as "$@". POSIX, builtins only: neither the
# task's PATH nor its working directory matters here. Each step that may fail is part of a list, so that an
# `errexit` from outside (bash takes SHELLOPTS from the environment) changes nothing.

# What the shell itself has to say ("Terminated") is not output of the task. The task's own stderr is kept as 3.
exec 3>&2 2>/dev/null

# A signal to the group must not keep the shim from writing the record. Caught, not ignored: a command inherits
# ignored signals, while caught ones are back to their default in it.
trap : HUP INT QUIT ALRM TERM USR1 USR2 PIPE

# No redirection below may overwrite a file: whoever creates one is the only one.
set -C

# Who this is, before anything can run: pid and start time as the kernel tells them, where there is /proc.
stat=$$
[ ! -e "/proc/$$/stat" ] || read -r stat <"/proc/$$/stat" || exit 125
echo "$stat" >"$0/pid" || exit 125

# The launch ticket. An agent that wants to know that this attempt never runs takes it first.
true >"$0/ticket" || exit 125

# The command, unless a stop was asked for before it began. Its own stdout and stderr, and no further descriptor.
# The file is looked for where signals are back to their default: whoever stops an attempt writes the file first and
# signals after, so a signal that comes while the subshell still has the shim's traps is not lost.
code=0
( [ ! -e "$0/stop" ] || exit 143; exec "$@" 2>&3 3>&- ) || code=$?

# From here on nothing may interrupt. The code is in the name of the file, so that a full disk cannot tear it.
trap '' HUP INT QUIT ALRM TERM USR1 USR2 PIPE
# Whatever the task left under this name, the record is written now: its time is that of the end.
PATH=/bin:/usr/bin:/run/current-system/sw/bin
until true >|"$0/exit.$code"; do
  if [ -d "$0" ]; then sleep 1
  # A task may have removed its own run directory. Where more is gone than that, there is nobody left to tell.
  else mkdir -m 700 "$0" || exit 125; fi
done
