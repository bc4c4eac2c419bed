//! The linear map of all layers: no bias, mostly frozen weight, and on the CPU the fastest of three routes to one product.

use tch::{Device, Kind, Tensor};

/// From this many rows on, a convolution with a 1x1 kernel beats a matrix product on the CPU.
const CONVOLUTION_ROWS: i64 = 64;
/// Up to this many inputs in all, libtorch keeps small convolutions away from oneDNN.
const CONVOLUTION_INPUTS: i64 = 20_480;
/// Up to this many weights a product is so small that calling oneDNN, which compiles a program for each number of rows that
/// it meets, costs more than it saves.
const SMALL_WEIGHT: usize = 65_536;
/// From this many outputs on, oneDNN's inner product beats both, however few rows there are.
const WIDE_OUTPUTS: i64 = 8192;

/// `y = x W^T`, with a frozen `W` unless a backbone is made.
#[derive(Debug)]
pub(super) struct Linear {
    /// `[outputs, inputs]`, the layout of the checkpoint.
    weight: Tensor,
    route: Route,
}

/// Why there are routes: libtorch sends a float32 matrix product on the CPU to MKL, which on AMD processors does not use their
/// AVX-512 units; its convolutions and its "mkldnn" tensors go to oneDNN, which does. On a Zen 5 the same product of
/// `[900, 512]` and `[512, 2048]` takes 10.2 ms with MKL, 8.5 ms as an mkldnn tensor (two copies included) and 4.4 ms as
/// a convolution. All three sum in float32.
#[derive(Debug, PartialEq)]
enum Route {
    Plain,
    /// By rows: convolution for many, plain for few.
    Convolution,
    /// An mkldnn tensor for the head.
    InnerProduct,
}

impl Linear {
    /// Takes a weight of `[outputs, inputs]`.
    pub(super) fn new(weight: Tensor) -> Self {
        let one_dnn = weight.device() == Device::Cpu && weight.kind() == Kind::Float && tch::utils::has_mkldnn();
        let route = match weight.size()[0] {
            _ if !one_dnn => Route::Plain,
            outputs if outputs >= WIDE_OUTPUTS => Route::InnerProduct,
            _ if weight.numel() <= SMALL_WEIGHT => Route::Plain,
            _ => Route::Convolution,
        };
        Self { weight, route }
    }

    /// `[rows, inputs] -> [rows, outputs]`
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        match self.route {
            Route::InnerProduct => x.to_mkldnn().mkldnn_linear(&self.weight, None::<&Tensor>).to_dense(None, false),
            Route::Convolution if x.size()[0] >= CONVOLUTION_ROWS && x.numel() as i64 > CONVOLUTION_INPUTS => {
                convolve(x, &self.weight)
            }
            // Few rows and no gradient: a decoding step. With the roles exchanged, the large weight is the image and is
            // read where it lies, instead of being rearranged for every step: 0.16 ms and not 0.33 ms for 12 rows
            // of `[512, 2048]`.
            Route::Convolution if !x.requires_grad() && self.weight.numel() as i64 > CONVOLUTION_INPUTS => {
                convolve(&self.weight, x).transpose(0, 1).contiguous()
            }
            Route::Convolution | Route::Plain => x.linear(&self.weight, None::<&Tensor>),
        }
    }
}

/// `x W^T` as a convolution: `[rows, inputs]` and `[outputs, inputs]` -> `[rows, outputs]`.
///
/// The rows are the pixels of one image whose channels are the inputs. In the channels-last layout that is the very
/// memory of `x`, so nothing is copied on the way in or out. The dilation of 2 means nothing to a 1x1 kernel, but with a
/// single thread libtorch would choose MKL again for an undilated one.
fn convolve(x: &Tensor, weight: &Tensor) -> Tensor {
    let (rows, inputs, outputs) = (x.size()[0], x.size()[1], weight.size()[0]);
    let image = x.contiguous().view([1, rows, 1, inputs]).permute([0, 3, 1, 2]); // [1, inputs, rows, 1]
    let kernel = weight.contiguous().view([outputs, inputs, 1, 1]);
    image
        .conv2d(&kernel, None::<&Tensor>, [1, 1], [0, 0], [1, 2], 1) // [1, outputs, rows, 1]
        .permute([0, 2, 3, 1])
        .reshape([rows, outputs])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::runtime::generator_alone;

    /// Every route against a product in double precision, forward and backward.
    #[test]
    fn the_routes_agree() {
        let _alone = generator_alone();
        tch::manual_seed(1);
        let random = |size: [i64; 2]| Tensor::randn(size, (Kind::Float, Device::Cpu));
        for (rows, inputs, outputs) in [
            (900, 64, 96),
            (900, 64, 1100),
            (65, 512, 160),
            (3, 512, 160),
            (1, 256, 300),
            (1, 8, WIDE_OUTPUTS),
            (70, 16, 9000),
        ] {
            let (x, weight, upstream) = (random([rows, inputs]), random([outputs, inputs]), random([rows, outputs]));
            let (x, weight) = (x.set_requires_grad(true), weight.set_requires_grad(true));
            let linear = Linear::new(weight.shallow_clone());
            let y = linear.forward(&x);
            let without_gradient = linear.forward(&x.detach());
            let loss = (&y * &upstream).sum(Kind::Float);
            // The weight's gradient is wanted where a backbone is made.
            let gradients = Tensor::run_backward(&[&loss], &[&x, &weight], false, false);
            let wide = |tensor: &Tensor| tensor.detach().to_kind(Kind::Double);
            let errors = [
                (&without_gradient - y.detach()).abs().max().double_value(&[]) / (inputs as f64).sqrt(),
                (wide(&y) - wide(&x).matmul(&wide(&weight).transpose(0, 1))).abs().max().double_value(&[])
                    / (inputs as f64).sqrt(),
                (wide(&gradients[0]) - wide(&upstream).matmul(&wide(&weight))).abs().max().double_value(&[])
                    / (outputs as f64).sqrt(),
                (wide(&gradients[1]) - wide(&upstream).transpose(0, 1).matmul(&wide(&x))).abs().max().double_value(&[])
                    / (rows as f64).sqrt(),
            ];
            // Rounding errors of a sum grow with its root; 1e-5 is about 80 units in the last place.
            assert!(errors.iter().all(|error| *error < 1e-5), "[{rows}, {inputs}] to {outputs}: {errors:?}");
        }
    }
}
