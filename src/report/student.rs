//! Student's t distribution, for intervals around means of few runs.

use std::f64::consts::{FRAC_PI_2, PI};

/// The half-width of the central 95 % interval of a standardised mean with so many degrees of freedom.
///
/// With whole degrees the distribution is a finite sum of powers of `cos(atan(t / sqrt(degrees)))`; it is inverted by
/// halving.
pub fn t95(degrees: usize) -> f64 {
    if degrees == 0 {
        return f64::INFINITY;
    }
    // The angle whose tangent is t / sqrt(degrees) lies between 0 and a right angle.
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if central(middle, degrees) < 0.95 { low = middle } else { high = middle }
    }
    (degrees as f64).sqrt() * low.tan()
}

/// The probability of at most the t with this angle, on both sides of 0.
fn central(angle: f64, degrees: usize) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    let even = degrees.is_multiple_of(2);
    if degrees == 1 {
        return 2.0 * angle / PI;
    }
    // Even: 1 + 1/2 c^2 + 1*3/(2*4) c^4 ...; odd: c + 2/3 c^3 + 2*4/(3*5) c^5 ...; up to the power degrees - 2.
    let (mut term, mut power) = if even { (1.0, 0) } else { (cosine, 1) };
    let mut sum = term;
    while power + 2 <= degrees - 2 {
        term *= cosine * cosine * (power + 1) as f64 / (power + 2) as f64;
        power += 2;
        sum += term;
    }
    if even { sine * sum } else { 2.0 / PI * (angle + sine * sum) }
}

#[cfg(test)]
mod tests {
    use super::t95;

    #[test]
    fn as_printed_in_tables() {
        // The usual table of the 97.5 % quantile, to three decimals (NIST handbook 1.3.6.7.2).
        let table = [
            (1, 12.706),
            (2, 4.303),
            (3, 3.182),
            (4, 2.776),
            (5, 2.571),
            (8, 2.306),
            (9, 2.262),
            (30, 2.042),
            (61, 2.000),
            (100, 1.984),
        ];
        for (degrees, expected) in table {
            assert!((t95(degrees) - expected).abs() < 5e-4, "{degrees}: {}", t95(degrees));
        }
        assert!((t95(100_000) - 1.96).abs() < 1e-3);
        assert_eq!(t95(0), f64::INFINITY);
    }
}
