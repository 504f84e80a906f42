//! Contribution bounds: which albums belong to a unit, and how many of them count.

use std::collections::BTreeMap;

use albumen_dp::Sensitive;
use albumen_schema::{AlbumText, Unit, UnitTexts};

/// Groups albums into units and bounds what each contributes.
///
/// For unit `album` every album is a unit. For unit `owner` an owner keeps the first
/// `max_albums_per_owner` albums in the order of their identifiers. The choice looks at nothing
/// but the owner's own albums, so that adding or removing an owner changes no other unit.
pub fn group_units(
    texts: Sensitive<Vec<AlbumText>>,
    unit: Unit,
    max_albums_per_owner: usize,
) -> Sensitive<Vec<UnitTexts>> {
    texts.map(|texts| match unit {
        Unit::Album => texts.into_iter().map(|album| vec![album]).collect(),
        Unit::Owner => by_owner(texts, max_albums_per_owner),
    })
}

fn by_owner(texts: Vec<AlbumText>, bound: usize) -> Vec<UnitTexts> {
    let mut owners: BTreeMap<String, UnitTexts> = BTreeMap::new();
    for album in texts {
        owners
            .entry(album.owner_id.clone())
            .or_default()
            .push(album);
    }
    let bounded = owners.into_values().map(|mut albums| {
        albums.sort_by(|a, b| a.album_id.cmp(&b.album_id));
        albums.truncate(bound);
        albums
    });
    bounded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn album(owner: &str, id: &str) -> AlbumText {
        AlbumText {
            album_id: id.to_owned(),
            owner_id: owner.to_owned(),
            captions: vec!["A photo.".to_owned()],
            summary: "Photos.".to_owned(),
        }
    }

    #[test]
    fn an_owner_keeps_the_first_albums_whatever_their_order() {
        let texts = vec![
            album("b", "4"),
            album("a", "3"),
            album("a", "1"),
            album("a", "2"),
        ];
        let units = by_owner(texts, 2);
        let ids: Vec<Vec<&str>> = units
            .iter()
            .map(|u| u.iter().map(|a| a.album_id.as_str()).collect())
            .collect();
        assert_eq!(ids, [vec!["1", "2"], vec!["4"]]);
    }

    #[test]
    fn removing_an_owner_changes_no_other_unit() {
        let all: Vec<_> = (0..12)
            .map(|i| album(&format!("owner{}", i % 4), &format!("{i:02}")))
            .collect();
        let with = by_owner(all.clone(), 2);
        let without = by_owner(
            all.into_iter().filter(|a| a.owner_id != "owner2").collect(),
            2,
        );
        let others: Vec<_> = with
            .into_iter()
            .filter(|u| u[0].owner_id != "owner2")
            .collect();
        assert_eq!(others, without);
    }
}
