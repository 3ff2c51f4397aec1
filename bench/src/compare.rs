//! Several contenders driven in turn, round after round, so that whatever else the machine does befalls all of them alike.

use std::process::{Child, Command};
use std::time::Duration;

use crate::Result;
use crate::drive::{Load, Slice, drive};
use crate::options::Options;
use crate::process::Server;
use crate::report::say;

/// Who is driven, with what.
pub(crate) struct Contender<'a> {
    /// What it is called.
    pub(crate) name: String,
    /// Who answers.
    pub(crate) server: &'a Server,
    /// What is sent.
    pub(crate) load: Load,
    /// Requests in flight.
    pub(crate) concurrency: usize,
}

/// What came of a contender, round by round.
pub(crate) type Slices = Vec<Slice>;

/// How long each runs before anything is measured.
const WARM_UP: Duration = Duration::from_millis(700);

/// Drives all in turn.
pub(crate) async fn alternate(contenders: &[Contender<'_>], options: &Options, warm_up: bool) -> Result<Vec<Slices>> {
    let mut all: Vec<Slices> = contenders.iter().map(|_| Vec::new()).collect();
    if warm_up {
        for contender in contenders {
            drive(contender.server, &contender.load, contender.concurrency, WARM_UP).await?;
        }
    }
    for round in 0..options.rounds {
        for (contender, slices) in contenders.iter().zip(&mut all) {
            let probe = probe(contender, options, round)?;
            let slice = drive(contender.server, &contender.load, contender.concurrency, options.slice()).await?;
            let (rate, cpu) = (slice.per_second(), slice.cpu_micros());
            say(format!("  {} round {round}: {rate:.0} requests/s, {cpu:.0} µs each", contender.name));
            slices.push(slice);
            if let Some(mut probe) = probe {
                probe.wait()?;
            }
        }
    }
    Ok(all)
}

/// What one costs in units of the other, round by round: CPU time of a request.
pub(crate) fn costs<'a>(of: &'a Slices, by: &'a Slices) -> impl Iterator<Item = f64> + 'a {
    of.iter().zip(by).map(|(of, by)| of.cpu_micros() / by.cpu_micros())
}

fn probe(contender: &Contender<'_>, options: &Options, round: usize) -> Result<Option<Child>> {
    let Some(program) = options.probe.as_ref().filter(|_| round == 0) else { return Ok(None) };
    Ok(Some(Command::new(program).arg(&contender.name).arg(contender.server.id().to_string()).spawn()?))
}
