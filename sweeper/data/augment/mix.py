"""MixUp and CutMix: each image is mixed with another of its batch, and so are their targets."""

import tensorflow as tf


def mix(
    images: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor, mixup: float, cutmix: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mix each image of a shuffled batch with the one before it, the first with the last.

    MixUp (Zhang et al. 2018) blends two images, CutMix (Yun et al. 2019) pastes a box of one into
    the other. The share that stays is drawn for each image from Beta(alpha, alpha), and the targets
    are mixed by the share that there is in the end: a box is cut at the image's border and
    holds whole pixels. Where both alphas are above 0, a fair coin says for the whole batch which
    one is used. A batch of one image stays as it is.

    Args:
        images: ``[batch, height, width, 3]`` float32.
        targets: ``[batch, units]`` float32.
        seed: ``[2]`` integers; equal seeds draw the same.
        mixup: alpha of MixUp, 0 for none.
        cutmix: alpha of CutMix, 0 for none.

    Returns:
        Images and targets of the same shapes; each is a mean of two, so ranges are kept, and
        targets that sum to 1 do so after.
    """
    coin, share, box = tf.unstack(tf.random.split(seed, 3))
    shape = tf.shape(images)

    def blend() -> tf.Tensor:
        return tf.reshape(draw_share(share, shape[0], mixup), [-1, 1, 1, 1])

    def paste() -> tf.Tensor:
        return keep_outside_box(box, draw_share(share, shape[0], cutmix), shape[1], shape[2])

    if mixup and cutmix:
        keep = tf.cond(tf.random.stateless_uniform([], coin) < 0.5, blend, paste)
    else:
        keep = blend() if mixup else paste()
    kept = tf.reduce_mean(keep, axis=[1, 2])
    other_images, other_targets = tf.roll(images, 1, axis=0), tf.roll(targets, 1, axis=0)
    return (
        tf.ensure_shape(keep * images + (1 - keep) * other_images, images.shape),
        tf.ensure_shape(kept * targets + (1 - kept) * other_targets, targets.shape),
    )


def draw_share(seed: tf.Tensor, count: tf.Tensor, alpha: float) -> tf.Tensor:
    """``[count]`` draws from Beta(alpha, alpha), ``alpha`` > 0.

    A Beta variable is the share of one of two Gamma variables in their sum. These are drawn as
    ``Gamma(alpha + 1) * U ** (1 / alpha)`` (Marsaglia and Tsang 2000, section 6) and divided as
    logarithms: for a small alpha they are too small for float32 themselves, which makes one in six
    draws of ``keras.random.beta`` exactly 0.5 at alpha 0.01.
    """
    gamma, power = tf.unstack(tf.random.split(seed))
    large = tf.math.log(tf.random.stateless_gamma([2, count], gamma, alpha + 1.0))
    # from 1 - U, which is never 0
    small = tf.math.log1p(-tf.random.stateless_uniform([2, count], power))
    return tf.sigmoid(large[0] - large[1] + (small[0] - small[1]) / alpha)


def keep_outside_box(
    seed: tf.Tensor, share: tf.Tensor, height: tf.Tensor, width: tf.Tensor
) -> tf.Tensor:
    """``[batch, height, width, 1]``: 0 in a box of about ``1 - share`` of the image, 1 outside.

    The box has the image's proportions and its centre anywhere in it, so that the border cuts some.
    """
    half = tf.sqrt(1 - share)[:, tf.newaxis] / 2
    centre = tf.random.stateless_uniform([2, tf.shape(share)[0], 1], seed)

    def inside(centre: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
        places = (tf.range(tf.cast(pixels, tf.float32)) + 0.5) / tf.cast(pixels, tf.float32)
        return tf.abs(places - centre) < half

    rows, columns = inside(centre[0], height), inside(centre[1], width)
    box = tf.logical_and(rows[:, :, tf.newaxis], columns[:, tf.newaxis, :])
    return tf.cast(tf.logical_not(box), tf.float32)[..., tf.newaxis]
