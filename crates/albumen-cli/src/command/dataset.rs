//! `albumen dataset`.

use std::path::Path;

use albumen_assets::Home;
use albumen_assets::quickstart::{self, Size};

use crate::args::{DatasetArgs, DatasetKind};
use crate::command::pseudo::{Pseudo, pseudo};
use crate::failure::Outcome;
use crate::progress::say;

/// The seed of the quickstart corpus: the same tree on every machine.
const QUICKSTART_SEED: u64 = 0;

/// Runs `albumen dataset`.
pub(crate) fn dataset(args: &DatasetArgs) -> Outcome {
    match &args.which {
        DatasetKind::Quickstart {
            out,
            albums,
            owners,
        } => quickstart(
            out,
            Size {
                albums: *albums,
                owners: *owners,
            },
        ),
        DatasetKind::Pseudo {
            out,
            albums,
            preamble,
            config,
            model,
            seed,
        } => pseudo(&Pseudo {
            out,
            albums: *albums,
            preamble,
            config: config.as_deref(),
            model,
            seed: *seed,
        }),
    }
}

fn quickstart(out: &Path, size: Size) -> Outcome {
    let made = quickstart::write(&Home::locate()?, out, size, QUICKSTART_SEED)?;
    let verb = if made.was_there {
        "is there"
    } else {
        "written"
    };
    say(&format!(
        "{}: {verb}: {} albums of {} owners, {} photos ({} different ones)",
        out.display(),
        made.size.albums,
        made.size.owners,
        made.photos,
        made.distinct_photos
    ));
    Ok(())
}
