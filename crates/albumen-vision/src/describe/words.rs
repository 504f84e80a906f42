//! Numbers and plurals.

/// "a dog", "two dogs", "many dogs" from "a dog". Nouns without an article ("cattle") stay.
pub(super) fn counted(noun: &str, count: usize) -> String {
    let Some(bare) = noun.strip_prefix("a ").or_else(|| noun.strip_prefix("an ")) else {
        return noun.to_owned();
    };
    match number(count) {
        Some(number) => format!("{number} {}", plural(bare)),
        None if count < 2 => noun.to_owned(),
        None => format!("many {}", plural(bare)),
    }
}

/// Most people that are counted: the detector misses some of every larger group.
const COUNTED_PEOPLE: usize = 4;

/// "a person", "two people", "a group of people"
pub(super) fn people(count: usize) -> String {
    match number(count).filter(|_| count <= COUNTED_PEOPLE) {
        _ if count == 1 => "a person".to_owned(),
        Some(number) => format!("{number} people"),
        None => "a group of people".to_owned(),
    }
}

/// "a dog", "an elephant" from "dog", "elephant".
pub(super) fn with_article(bare: &str) -> String {
    let article = if bare.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {bare}")
}

/// Exact counts end where a detector's do.
fn number(count: usize) -> Option<&'static str> {
    ["two", "three", "four", "five", "six"]
        .get(count.checked_sub(2)?)
        .copied()
}

fn plural(bare: &str) -> String {
    if let Some((head, rest)) = bare.split_once(" of ") {
        return format!("{} of {rest}", plural(head));
    }
    let unchanged = ["fish", "sheep", "bison", "scissors", "series"];
    if unchanged.iter().any(|word| bare.ends_with(word)) {
        return bare.to_owned();
    }
    for (one, many) in [
        ("goose", "geese"),
        ("wolf", "wolves"),
        ("mouse", "mice"),
        ("person", "people"),
    ] {
        if let Some(stem) = bare.strip_suffix(one) {
            return format!("{stem}{many}");
        }
    }
    let before_y = bare
        .strip_suffix('y')
        .filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    if let Some(stem) = before_y {
        return format!("{stem}ies");
    }
    if ["s", "x", "z", "ch", "sh"]
        .iter()
        .any(|end| bare.ends_with(end))
    {
        return format!("{bare}es");
    }
    format!("{bare}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_are_counted() {
        for (noun, count, words) in [
            ("a dog", 0, "a dog"),
            ("a dog", 1, "a dog"),
            ("an ostrich", 2, "two ostriches"),
            ("a goose", 3, "three geese"),
            ("a monkey", 4, "four monkeys"),
            ("a pony", 5, "five ponies"),
            ("a goldfish", 6, "six goldfish"),
            ("a bird of prey", 7, "many birds of prey"),
            ("a praying mantis", 2, "two praying mantises"),
            ("cattle", 2, "cattle"),
        ] {
            assert_eq!(counted(noun, count), words);
        }
        assert_eq!(people(1), "a person");
        assert_eq!(people(4), "four people");
        assert_eq!(people(5), "a group of people");
        assert_eq!(people(12), "a group of people");
        assert_eq!(with_article("elephant"), "an elephant");
    }
}
