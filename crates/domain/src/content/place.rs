//! Places.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{InvalidContent, check_lines, invalid};
use crate::Text;

/// An angle in degrees, kept in units of 10⁻⁷ degrees (about a centimetre on the ground), so that what is written is what
/// is read. JSON has it as a number of degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Degrees(i64);

const UNITS: f64 = 1e7;

impl Degrees {
    /// The angle nearest to this one. `None` for what is no number, or not between -360 and 360.
    pub fn new(degrees: f64) -> Option<Self> {
        // An integer below 2^53 either way.
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the check before it")]
        (degrees.abs() <= 360.0).then(|| Self((degrees * UNITS).round() as i64))
    }

    /// In degrees.
    pub fn degrees(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "at most 3.6e9 units")]
        let units = self.0 as f64;
        units / UNITS
    }

    fn is_within(self, degrees: f64) -> bool {
        self.degrees().abs() <= degrees
    }
}

impl Serialize for Degrees {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.degrees())
    }
}

impl<'de> Deserialize<'de> for Degrees {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("expected degrees"))
    }
}

/// A place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// From -90 to 90, north is positive.
    pub latitude: Degrees,
    /// From -180 to 180, east is positive.
    pub longitude: Degrees,
    /// What is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// Its address in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Text>,
    /// Somebody shares where they are, beginning here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
}

impl Location {
    pub(super) fn check(&self) -> Result<(), InvalidContent> {
        if !self.latitude.is_within(90.0) {
            return invalid("/latitude", "expected -90 to 90 degrees");
        }
        if !self.longitude.is_within(180.0) {
            return invalid("/longitude", "expected -180 to 180 degrees");
        }
        check_lines([("/name", self.name.as_ref()), ("/address", self.address.as_ref())])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(latitude: f64, longitude: f64) -> Location {
        let [latitude, longitude] = [latitude, longitude].map(|degrees| Degrees::new(degrees).unwrap());
        Location { latitude, longitude, name: None, address: None, live: false }
    }

    #[test]
    fn a_place_is_on_the_globe() {
        for (latitude, longitude) in [(90.0, 180.0), (-90.0, -180.0), (52.520_008, 13.404_954)] {
            assert_eq!(place(latitude, longitude).check(), Ok(()));
        }
        assert_eq!(place(90.000_1, 0.0).check().unwrap_err().field, "/latitude");
        assert_eq!(place(0.0, -180.000_1).check().unwrap_err().field, "/longitude");
        assert_eq!([f64::NAN, f64::INFINITY, 361.0].map(Degrees::new), [None; 3]);
        let unnamed = Location { name: Some(Text(String::new())), ..place(0.0, 0.0) };
        assert_eq!(unnamed.check().unwrap_err().field, "/name");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(degrees in -180.0_f64..180.0) {
            let angle = Degrees::new(degrees).unwrap();
            prop_assert!((angle.degrees() - degrees).abs() <= 1e-7);
            let json = serde_json::to_string(&angle).unwrap();
            prop_assert_eq!(serde_json::from_str::<Degrees>(&json).unwrap(), angle);
        }
    }
}
