//! What has left the machine for servers in a run, written down before it leaves.
//!
//! The configuration of a run may change until something is spent, and what was sent stays sent: so the
//! release states this record beside the configuration. It begins with the run's directory, so that one that
//! is lost can be told from one of nothing.

use std::path::Path;

use albumen_schema::Departure;

use albumen_files::write_whole;

/// The record in a run's directory.
pub(crate) const FILE: &str = "departures.json";

/// Begins the record of a new run: nothing has left.
pub(crate) fn begin(path: &Path) -> anyhow::Result<()> {
    write(path, &[])
}

/// What has left so far.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Departure>> {
    let read = || -> anyhow::Result<_> { Ok(serde_json::from_slice(&std::fs::read(path)?)?) };
    read().map_err(|problem| {
        anyhow::anyhow!(
            "cannot read {}, which says what has left the machine for servers in this run: {problem}\n  hint: \
             put the file back; where this run has asked no server on another machine, write [] into it",
            path.display()
        )
    })
}

/// Adds what is about to leave; on the disk when this returns.
pub(crate) fn record(path: &Path, departures: &[Departure]) -> anyhow::Result<()> {
    let mut all = read(path)?;
    let before = all.len();
    for departure in departures {
        if !all.contains(departure) {
            all.push(departure.clone());
        }
    }
    if all.len() > before {
        write(path, &all)?;
    }
    Ok(())
}

fn write(path: &Path, departures: &[Departure]) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(departures)?;
    text.push(b'\n');
    Ok(write_whole(path, &text)?)
}

#[cfg(test)]
mod tests {
    use albumen_schema::Sent;

    use super::*;

    fn departure(host: &str) -> Departure {
        Departure {
            stage: "caption".to_owned(),
            sent: Sent::Photos,
            host: host.to_owned(),
            encrypted: true,
            model: Some("m".to_owned()),
        }
    }

    #[test]
    fn what_left_stays_and_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        begin(&path).unwrap();
        assert_eq!(read(&path).unwrap(), []);
        let (one, two) = (departure("one"), departure("two"));
        record(&path, std::slice::from_ref(&one)).unwrap();
        record(&path, &[one.clone(), two.clone()]).unwrap();
        record(&path, std::slice::from_ref(&two)).unwrap();
        assert_eq!(read(&path).unwrap(), [one, two]);
    }

    #[test]
    fn a_record_that_is_lost_or_damaged_is_none_of_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let (mine, missing) = (departure("one"), read(&path).unwrap_err().to_string());
        assert!(missing.contains("hint: "), "{missing}");
        for damage in ["", "[", "{}", "[{\"stage\": \"caption\"}]"] {
            std::fs::write(&path, damage).unwrap();
            assert!(read(&path).is_err(), "{damage}");
            assert!(record(&path, std::slice::from_ref(&mine)).is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), damage);
        }
    }
}
