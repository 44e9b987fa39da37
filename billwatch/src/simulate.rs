//! `billwatch simulate`: the simulated market as a file of facts, and the planted cases as labels.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use anyhow::Context as _;
use billwatch_bench::simulator::{Settings, Simulator, cases::write_demands, label::write_labels, usual_days};
use billwatch_market::ndjson;

use crate::{
    cli::SimulateArgs,
    failure::{Failure, Outcome},
    output::grouped,
    progress::Progress,
};

/// The market of `demo`, `simulate` and `bench`: with planted cases.
pub fn market(facts: u64, seed: u64) -> Settings {
    Settings { misbehaviour: true, ..Settings::new(facts, seed) }
}

/// Runs the command.
pub fn run(args: SimulateArgs) -> Outcome {
    if !(0.0..=1.0).contains(&args.corrected) {
        return Err(Failure::Usage(format!("--corrected {}: choose a share from 0 to 1", args.corrected)));
    }
    let mut out: Box<dyn Write> = if args.out == Path::new("-") {
        Box::new(BufWriter::with_capacity(1 << 20, io::stdout().lock()))
    } else {
        let file = File::create(&args.out).with_context(|| args.out.display().to_string())?;
        Box::new(BufWriter::with_capacity(1 << 20, file))
    };
    let mut simulator = Simulator::new(Settings {
        share_corrected: args.corrected,
        days: args.days.unwrap_or_else(|| usual_days(args.facts)),
        every_week: args.every_week,
        cases_a_round: usize::from(args.cases_a_round),
        published_cases: args.cases.is_some(),
        ..market(args.facts, args.seed)
    });
    let mut progress = Progress::new("simulating", args.facts, "facts");
    let mut records = 0;
    for record in simulator.by_ref() {
        out.write_all(ndjson::print_record(&record).as_bytes())?;
        out.write_all(b"\n")?;
        records += 1;
        if records % 1024 == 0 {
            progress.set(records);
        }
    }
    out.flush()?;
    progress.finish();
    let labels = simulator.labels();
    let mut file = BufWriter::new(File::create(&args.labels).with_context(|| args.labels.display().to_string())?);
    write_labels(labels, &mut file)?;
    file.flush()?;
    if let (Some(path), Some(cases)) = (&args.cases, simulator.published_cases()) {
        let mut file = BufWriter::new(File::create(path).with_context(|| path.display().to_string())?);
        write_demands(cases.demands(), &mut file)?;
        file.flush()?;
    }
    eprintln!("{} records; {} planted cases in {}", grouped(records), labels.len(), args.labels.display());
    Ok(())
}
