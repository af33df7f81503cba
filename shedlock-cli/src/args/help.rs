//! The long parts of the help.

pub(crate) const PROGRAM: &str = "\
Examples:
  shedlock run --name backup -- ./backup.sh
  SHEDLOCK_STORE=postgres://db/app shedlock run --name report --at-least 10m -- ./report.sh
  shedlock list --watch
  shedlock top
  shedlock release backup --force --reason 'web-2 is gone for good'

Exit codes:
  0-63, ..  the code of the command that `run` ran; 128+n if signal n ended it
  64   wrong usage: an unknown option, a bad name or duration
  69   the store cannot be reached, does not answer in time or takes no writes
  75   another node holds the lock, or it is paused (`--busy-exit` changes it)
  77   the user of the store lacks a right
  78   the configuration, the login or the schema is wrong, or the store cannot do this
  79   the lock was lost and the command ended
  80   done already for this slot, instant or step
  81   given up for this slot, instant or step: all attempts have failed
  124  the time to wait is over and the lock is still held (`run --busy-exit` changes it)
  125  an error of shedlock itself
  126  the command cannot be executed
  127  the command does not exist
  128+n  signal n ended shedlock before the command had begun

Environment:
  SHEDLOCK_STORE       the URL of the store; it is not handed on to commands
  SHEDLOCK_STORE_FILE  a file that contains this URL
  SHEDLOCK_TOKEN       the token for `extend` and `unlock`; it is not handed on to commands
  SHEDLOCK_CONFIG      a file with the defaults of options
  SHEDLOCK_PING        the URL for `--ping`; it is not handed on to commands
  SHEDLOCK_NODE, SHEDLOCK_AT_MOST, ..
                       as `--node`, `--at-most` and so on; `shedlock help COMMAND` names them all
  NO_COLOR, CLICOLOR_FORCE
                       no colours, and colours where there is no terminal

Configuration file:
  store = \"postgres://app:secret@db/app\"   or store_file = \"FILE\"
  [run]                                     for all locks
  busy_exit = 0
  [lock.backup]                             for the lock `backup`
  at_most = \"10m\"";

pub(crate) const RUN: &str = "\
The command gets SHEDLOCK_NAME, SHEDLOCK_NODE, SHEDLOCK_FENCE and SHEDLOCK_DEADLINE in its environment.

Examples:
  crontab    */10 * * * * shedlock run --name sync --busy-exit 0 --quiet-busy -- sync.sh
  systemd    ExecStart=/usr/bin/shedlock run --name report --once-per 1d -- /usr/local/bin/report
  Kubernetes command: [\"shedlock\", \"run\", \"--name\", \"report\", \"--busy-exit\", \"0\", \"--\", \"/app/report\"]
  CI         shedlock run --name deploy --wait 30m -- ./deploy.sh

Exit codes: see `shedlock --help`.";

#[cfg(feature = "serve")]
pub(crate) const SERVE: &str = "\
Examples:
  shedlock serve
  SHEDLOCK_STORE=postgres://db/app shedlock serve --operator-tokens /etc/shedlock/operators
  shedlock serve --listen 0.0.0.0:8043 --host locks.example.com

The page does not ask its readers who they are. SIGTERM and SIGINT end the program.";

pub(crate) const SCRIPT: &str = "\
Example:
  SHEDLOCK_TOKEN=$(shedlock lock deploy --at-most 10m) || exit
  export SHEDLOCK_TOKEN
  ./deploy.sh
  shedlock unlock deploy

`shedlock run` is the better choice for one command: it extends the lease, and ends what runs without it.";
