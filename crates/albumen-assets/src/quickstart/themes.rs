//! The themes of the quickstart's albums. They, their names and the titles are ours; the photos'
//! groups are the package's. Every pool is a list of stable ids (`gcompris-photos/attribution.tsv`)
//! or of their prefixes, so that `farm-` takes the whole group. A picture that the package holds in
//! two sizes stands in a pool once.

/// What an album is about.
#[derive(Debug)]
pub(crate) struct Theme {
    /// Its name in the README.
    pub(crate) name: &'static str,
    /// How often owners choose it, against the others.
    pub(crate) weight: u32,
    /// Ids of photos, or prefixes that end in `-`.
    pub(crate) pool: &'static [&'static str],
    /// What owners call such an album.
    pub(crate) titles: &'static [&'static str],
}

pub(crate) const THEMES: &[Theme] = &[
    Theme {
        name: "farm",
        weight: 12,
        pool: &[
            "farm-",
            "energy-windmill4",
            "energy-windmill12",
            "home-bucket",
        ],
        titles: &[
            "A day at the farm",
            "Farm visit",
            "With the animals",
            "Sunday in the country",
        ],
    },
    Theme {
        name: "zoo",
        weight: 12,
        pool: &["wild-", "nature-giraffe", "nature-red-panda"],
        titles: &["At the zoo", "Safari", "Wild animals", "Zoo with the kids"],
    },
    Theme {
        name: "aquarium",
        weight: 12,
        pool: &["fish-"],
        titles: &["Aquarium visit", "Fish", "Under water", "Diving holiday"],
    },
    Theme {
        name: "wildlife walk",
        weight: 6,
        pool: &[
            "nature-",
            "wild-hedgehog",
            "wild-moose",
            "wild-chameleon",
            "wild-bison",
            "farm-owl",
            "farm-duck",
            "usa-canyonde-chelly",
        ],
        titles: &["A walk outside", "Birds and beasts", "Out in nature"],
    },
    Theme {
        name: "France",
        weight: 9,
        pool: &["france-", "world-arc-de-triomphe", "world-le-musee"],
        titles: &[
            "A week in France",
            "Castles and cathedrals",
            "Paris and beyond",
            "Road trip in France",
        ],
    },
    Theme {
        name: "Germany",
        weight: 6,
        pool: &[
            "germany-",
            "energy-windmill5",
            "energy-windmill9",
            "energy-windmill14",
        ],
        titles: &["Germany by train", "Castles on the way", "Berlin and back"],
    },
    Theme {
        name: "India",
        weight: 9,
        pool: &["india-", "world-india-gate", "world-taj-mahal"],
        titles: &[
            "Journey through India",
            "Palaces and temples",
            "India at last",
        ],
    },
    Theme {
        name: "United States",
        weight: 9,
        pool: &["usa-", "world-empire-state", "world-us-capitol"],
        titles: &[
            "Across the States",
            "Monuments and forts",
            "American road trip",
        ],
    },
    Theme {
        name: "ancient ruins",
        weight: 7,
        pool: &[
            "egypt-",
            "wonder-",
            "world-parthenon",
            "world-monument2",
            "france-arles-amphitheater",
            "germany-trier-imperial-baths",
        ],
        titles: &["Old stones", "Pyramids and temples", "Ruins tour"],
    },
    Theme {
        name: "world tour",
        weight: 9,
        pool: &[
            "world-bayterek",
            "world-burj",
            "world-cathedral",
            "world-christ-the-redeemer",
            "world-eiffel-tower",
            "world-great-wall",
            "world-juche-tower",
            "world-leaning-tower-of-pisa",
            "world-monument1",
            "world-monument3",
            "world-opera-house",
            "world-statue-of-liberty",
            "world-taj-mahal",
            "world-victoria-memorial",
            "world-zimni-palace",
        ],
        titles: &[
            "Around the world",
            "Famous sights",
            "The long trip",
            "City breaks",
        ],
    },
    Theme {
        name: "windmills",
        weight: 8,
        pool: &["energy-windmill", "energy-windmill-"],
        titles: &["Windmills", "Mills along the way", "Windmill cycling tour"],
    },
    Theme {
        name: "dams and solar panels",
        weight: 6,
        pool: &["energy-dam-", "energy-geothermal", "energy-solar-"],
        titles: &["Power plant visit", "Sun and water", "The energy trail"],
    },
    Theme {
        name: "workshop",
        weight: 8,
        pool: &[
            "tool-cutting-tool",
            "tool-hammer-",
            "tool-measuring-tape1",
            "tool-measuring-tape2",
            "tool-measuring-tape5",
            "tool-measuring-tape6",
            "tool-multimeter-",
            "tool-plier-",
            "tool-screw-driver-",
            "tool-side-cutter1",
            "tool-wrench",
            "tool-wrench1",
        ],
        titles: &[
            "In the workshop",
            "New tools",
            "Garage sale finds",
            "The toolbox",
        ],
    },
    Theme {
        name: "sewing and crafts",
        weight: 5,
        pool: &[
            "tool-scissors-",
            "tool-measuring-tape3",
            "tool-measuring-tape4",
            "tool-tweezer",
            "tool-tweezer1",
            "tool-nail-cutter",
            "tool-spray",
            "home-pencil",
            "home-blackslate",
        ],
        titles: &["Craft table", "Sewing corner", "Making things"],
    },
    Theme {
        name: "home and kitchen",
        weight: 7,
        pool: &[
            "home-bucket",
            "home-buffetset",
            "home-bulb",
            "home-chair",
            "home-cup",
            "home-knife",
            "home-pan",
            "home-pillow",
            "home-plate",
            "home-spoons",
            "home-weighing-machine",
        ],
        titles: &[
            "Our new kitchen",
            "Things at home",
            "Moving day",
            "Flea market finds",
        ],
    },
    Theme {
        name: "music",
        weight: 5,
        pool: &["music-"],
        titles: &["Concert evening", "Music from everywhere", "Festival"],
    },
];

impl Theme {
    /// Whether a photo belongs to the pool. A prefix such as `tool-hammer-` also takes the ids in
    /// which a number follows at once (`tool-hammer3`).
    pub(crate) fn takes(&self, id: &str) -> bool {
        self.pool.iter().any(|p| match p.strip_suffix('-') {
            None => *p == id,
            Some(stem) => id.strip_prefix(stem).is_some_and(|rest| {
                rest.starts_with('-')
                    || (!rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
            }),
        })
    }
}
