//! Bounds on a list: VPCs and times.

use uuid::Uuid;

use crate::domain::principal::{VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;

/// The VPCs that the caller may see and the filter selects.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reach<'a> {
    All,
    One(&'a str),
    Matching(&'a [VpcPattern]),
}

/// Combines the caller's VPCs with the filter's; `None` if no VPC remains.
pub(super) fn reach<'a>(vpcs: &'a VpcScope, vpc_id: Option<&'a str>) -> Option<Reach<'a>> {
    match (vpcs, vpc_id) {
        (_, Some(vpc)) => vpcs.allows(vpc).then_some(Reach::One(vpc)),
        (VpcScope::All, None) => Some(Reach::All),
        (VpcScope::Matching(patterns), None) => (!patterns.is_empty()).then_some(Reach::Matching(patterns)),
    }
}

/// A time as a bound on time-ordered ids. Ids contain milliseconds: for a bound between two milliseconds the statement
/// must also compare the time itself.
pub(super) struct IdBound {
    pub(super) id: Uuid,
    pub(super) is_exact: bool,
}

fn id_at(millis: i64) -> Uuid {
    // Ids have 48 bits for milliseconds. Clamping keeps the order for times outside of their range.
    let millis = u128::try_from(millis.max(0)).unwrap_or_default();
    Uuid::from_u128(millis.min((1 << 48) - 1) << 80)
}

/// Rows created at or after `at` have this id or a greater one.
pub(super) fn id_from(at: Timestamp) -> IdBound {
    let micros = at.as_micros();
    IdBound { id: id_at(micros.div_euclid(1000)), is_exact: micros.rem_euclid(1000) == 0 }
}

/// Rows created before `at` have a smaller id.
pub(super) fn id_before(at: Timestamp) -> IdBound {
    let micros = at.as_micros();
    let is_exact = micros.rem_euclid(1000) == 0;
    IdBound { id: id_at(micros.div_euclid(1000) + i64::from(!is_exact)), is_exact }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lie_on_the_side_of_a_bound_on_which_their_times_lie() {
        let at = |micros: i64| Timestamp::from_micros(1_700_000_000_000_000 + micros);
        for micros in [0, 1, 999, 1000, 1001, 5000] {
            let bound = at(micros);
            for made in [0, 500, 999, 1000, 1500, 2000, 4999, 5000, 6000].map(at) {
                let millis = u64::try_from(made.as_micros() / 1000).expect("after 1970");
                let id = uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid();
                let (from, before) = (id_from(bound), id_before(bound));
                assert!(made < bound || id >= from.id, "{made} from {bound}");
                assert!(made >= bound || id < before.id, "{made} before {bound}");
                assert!(!from.is_exact || (id >= from.id) == (made >= bound));
                assert!(!before.is_exact || (id < before.id) == (made < bound));
            }
        }
        assert_eq!(id_from(Timestamp::from_micros(-5)).id, Uuid::nil());
    }
}
