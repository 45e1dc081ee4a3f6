"""Kernels of the short joint fit: a few hundred isotropic Gaussians and all poses, in one compiled function.

At 16 pixels a general rasterizer spends its time on calls, not on pixels. Here a fit of 8 views and 200 Gaussians in 80
steps takes 0.05 seconds of one core, a twentieth of the time of `reconstruct`, and several run side by side, since the
kernels release the interpreter's lock and hold no state.

A Gaussian of standard deviation s at depth z is drawn as a round spot of variance (fx s / z)^2 + BLUR_PX2: perspective
shear is left out. Spots are composited front to back, spot by spot. Colours of the photographs are multiplied by their
masks. The loss of one step is, averaged over all pixels of all views,

    COLOUR_WEIGHT * mean over channels (render - photograph)^2 + ALPHA_WEIGHT * (alpha - mask)^2,

both over one random background for each view and step, so that neither black nor white objects vanish. Colour counts
where the photograph is valid; alpha counts a little (OUTSIDE_WEIGHT) beyond its edge, too.

Frames: `world`; `camera`, OpenCV axes. A pose is R and t with x_camera = R x_world + t. Its tangent (rho, omega) moves
it to x_camera = exp(omega) (R x_world + t - pivot) + pivot + rho: rotations turn about `pivot`, where the object was
at the start, so that rotation and translation hardly mix.
Units: world units (object radius about 0.4); pixels with centres at half integers; radians.

Arrays, float32 and C-contiguous: rgb [V, H, W, 3], alpha and valid [V, H, W], K [V, 4] (fx, fy, cx, cy), R [V, 3, 3],
t and pivot [V, 3], gaussians [N, 8] (mean, log of the standard deviation, logit of the opacity, colour).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from sparseags_ns.numba_cache import compiler

COLOUR_WEIGHT, ALPHA_WEIGHT = np.float32(20.0), np.float32(5.0)
OUTSIDE_WEIGHT = np.float32(0.05)
"""Weight of alpha beyond the photograph's edge: what lies there is unknown, but most likely nothing."""
SCORE_ALPHA_WEIGHT = np.float32(0.5)
"""Weight of the squared error of alpha in losses by which poses are compared, as in pose_search/losses.py."""
GRAY = np.float32(0.5)
BLUR_PX2 = np.float32(0.03)
"""Variance that keeps a spot from falling between pixel centres."""
MAX_ALPHA = np.float32(0.99)
NEAR = np.float32(0.2)
MIN_OPACITY = np.float32(1 / 64)
"""Smaller alphas are not drawn: down to 1/255 they take a third of the time, and as many climbs find the object."""
MEAN_LR, SCALE_LR, OPACITY_LR, COLOUR_LR = (np.float32(x) for x in (2e-3, 2e-2, 5e-2, 1.4e-2))
MEAN_LR_END = np.float32(0.3)
"""Factor on MEAN_LR at the end."""
OPACITY_PENALTY, SCALE_PENALTY, LARGE = np.float32(1e-3), np.float32(0.02), np.float32(0.06)
"""Weights of the mean opacity and of the mean standard deviation of Gaussians larger than LARGE."""
BETA1, BETA2, TINY = np.float32(0.9), np.float32(0.99), np.float32(1e-15)
ZERO, HALF, ONE, TWO, THREE = (np.float32(x) for x in (0.0, 0.5, 1.0, 2.0, 3.0))
# Numbers without a type would make the arithmetic double.

# Helpers are inlined so that a process which compiles them rounds as one which loads them (rasterizer/kernels/jit.py).
kernel = compiler("ab_initio", Path(__file__), nogil=True, fastmath=True, error_model="numpy", forceinline=True)


@kernel
def _exp(x):
    """Exponential of x <= 0 with an error below 1e-4: (1 + y + y^2 / 2)^256 for y = x / 256.

    Unlike a call of the library's function, eight squarings are done for several pixels at once.
    """
    y = x * np.float32(1 / 256)
    y = ONE + y + HALF * y * y
    y *= y
    y *= y
    y *= y
    y *= y
    y *= y
    y *= y
    y *= y
    return y * y


@kernel
def scratch(views, gaussians, height, width):
    """Memory of one fit: spots [N, 4] (column, row, variance, opacity), in_camera [N, 3], order [V, N], boxes [N, 5]
    (where its alphas begin, first and last column and row), alphas, and the images transmittance [H, W], colour
    [3, H, W], gradient [4, H, W] (with respect to colour and transmittance) and behind [H, W]."""
    order = np.empty((views, gaussians), np.int32)
    for view in range(views):
        for n in range(gaussians):
            order[view, n] = n
    return (
        np.empty((gaussians, 4), np.float32),
        np.empty((gaussians, 3), np.float32),
        order,
        np.empty((gaussians, 5), np.int32),
        np.empty(gaussians * height * width, np.float32),
        np.empty((height, width), np.float32),
        np.empty((3, height, width), np.float32),
        np.empty((4, height, width), np.float32),
        np.empty((height, width), np.float32),
    )


@kernel
def _project(R, t, K, gaussians, smoothing, spots, in_camera, order):
    """Spots of all Gaussians in one view, and their order from near to far."""
    for n in range(len(gaussians)):
        x, y, z = gaussians[n, 0], gaussians[n, 1], gaussians[n, 2]
        for c in range(3):
            in_camera[n, c] = R[c, 0] * x + R[c, 1] * y + R[c, 2] * z + t[c]
        depth = in_camera[n, 2]
        if depth > NEAR:
            per_depth = ONE / depth
            spots[n, 0] = K[0] * in_camera[n, 0] * per_depth + K[2] - HALF
            spots[n, 1] = K[1] * in_camera[n, 1] * per_depth + K[3] - HALF
            spread = K[0] * per_depth
            spots[n, 2] = spread * spread * (math.exp(TWO * gaussians[n, 3]) + smoothing) + BLUR_PX2
            spots[n, 3] = ONE / (ONE + math.exp(-gaussians[n, 4]))
    # Insertion sort: the order changes little from step to step.
    for k in range(1, len(order)):
        moved = order[k]
        depth, j = in_camera[moved, 2], k - 1
        while j >= 0 and in_camera[order[j], 2] > depth:
            order[j + 1] = order[j]
            j -= 1
        order[j + 1] = moved


@kernel
def _composite(gaussians, spots, in_camera, order, boxes, alphas, transmittance, colour):
    """Draw the spots front to back; keeps the box and the alphas of each for the gradient."""
    height, width = transmittance.shape
    transmittance[:] = ONE
    colour[:] = ZERO
    used = 0
    for n in order:
        boxes[n, 0], boxes[n, 1], boxes[n, 2] = used, 0, -1
        if in_camera[n, 2] <= NEAR or spots[n, 3] < MIN_OPACITY:
            continue
        column, row, variance, opacity = spots[n]
        reach = math.sqrt(TWO * variance * math.log(opacity / MIN_OPACITY))
        left, right = max(0, int(math.ceil(column - reach))), min(width - 1, int(math.floor(column + reach)))
        top, bottom = max(0, int(math.ceil(row - reach))), min(height - 1, int(math.floor(row + reach)))
        if right < left or bottom < top:
            continue
        boxes[n, 1], boxes[n, 2], boxes[n, 3], boxes[n, 4] = left, right, top, bottom
        falloff = -HALF / variance
        red, green, blue = gaussians[n, 5], gaussians[n, 6], gaussians[n, 7]
        for y in range(top, bottom + 1):
            down = falloff * (np.float32(y) - row) ** 2
            for x in range(left, right + 1):
                across = np.float32(x) - column
                a = min(opacity * _exp(falloff * across * across + down), MAX_ALPHA)
                alphas[used + x - left] = a
                share = transmittance[y, x] * a
                colour[0, y, x] += share * red
                colour[1, y, x] += share * green
                colour[2, y, x] += share * blue
                transmittance[y, x] *= ONE - a
            used += right - left + 1


@kernel
def _view_loss(rgb, alpha, valid, transmittance, colour):
    """Squared error over gray, over the object's area: the loss by which poses are compared."""
    total, area = ZERO, ZERO
    height, width = alpha.shape
    for y in range(height):
        for x in range(width):
            cover = ONE - transmittance[y, x]
            error = ZERO
            for c in range(3):
                error += (colour[c, y, x] - rgb[y, x, c] + GRAY * (alpha[y, x] - cover)) ** 2
            total += valid[y, x] * (error / THREE + SCORE_ALPHA_WEIGHT * (cover - alpha[y, x]) ** 2)
            area += valid[y, x] * alpha[y, x]
    return total / max(area, ONE)


@kernel
def _image_gradient(rgb, alpha, valid, background, weight, transmittance, colour, gradient, behind):
    """Loss of one view, its gradient with respect to colour and transmittance, and what `behind` begins with."""
    loss = ZERO
    height, width = alpha.shape
    for y in range(height):
        for x in range(width):
            clear, counts = transmittance[y, x], valid[y, x]
            alpha_weight = ALPHA_WEIGHT * weight * (counts + OUTSIDE_WEIGHT * (ONE - counts))
            excess = ONE - clear - alpha[y, x]
            loss += alpha_weight * excess * excess
            to_clear = -TWO * alpha_weight * excess
            remaining = ZERO
            for c in range(3):
                error = colour[c, y, x] - rgb[y, x, c] + (clear - ONE + alpha[y, x]) * background[c]
                loss += COLOUR_WEIGHT * weight * counts * error * error / THREE
                gradient[c, y, x] = TWO * COLOUR_WEIGHT * weight * counts * error / THREE
                to_clear += gradient[c, y, x] * background[c]
                remaining += gradient[c, y, x] * colour[c, y, x]
            gradient[3, y, x] = to_clear
            behind[y, x] = remaining + to_clear * clear
    return loss


@kernel
def _backward(R, K, pivot, gaussians, smoothing, memory, order, to_gaussians, to_pose):
    """Add the gradients of one view to those of the Gaussians and of the pose.

    For one pixel, with T the transmittance before spot k, the derivative of the loss by its alpha a is
    T (g . c) - (all that lies behind it) / (1 - a), where `behind` holds g . (colour of all spots behind k) plus
    g_T times the final transmittance. T is built up again from the alphas on the way from front to back.
    """
    spots, in_camera, _, boxes, alphas, transmittance, _, gradient, behind = memory
    transmittance[:] = ONE
    for n in order:
        left, right, top, bottom = boxes[n, 1], boxes[n, 2], boxes[n, 3], boxes[n, 4]
        if right < left:
            continue
        used = boxes[n, 0]
        column, row, variance, opacity = spots[n]
        red, green, blue = gaussians[n, 5], gaussians[n, 6], gaussians[n, 7]
        to_column, to_row, to_variance, to_opacity = ZERO, ZERO, ZERO, ZERO
        to_red, to_green, to_blue = ZERO, ZERO, ZERO
        for y in range(top, bottom + 1):
            down = np.float32(y) - row
            for x in range(left, right + 1):
                a = alphas[used + x - left]
                clear = transmittance[y, x]
                share = clear * a
                g_red, g_green, g_blue = gradient[0, y, x], gradient[1, y, x], gradient[2, y, x]
                to_red += share * g_red
                to_green += share * g_green
                to_blue += share * g_blue
                seen = g_red * red + g_green * green + g_blue * blue
                left_behind = behind[y, x] - share * seen
                behind[y, x] = left_behind
                transmittance[y, x] = clear * (ONE - a)
                to_log_a = a * (clear * seen - left_behind / (ONE - a))
                to_log_a = to_log_a if a < MAX_ALPHA else ZERO
                across = np.float32(x) - column
                to_opacity += to_log_a
                to_column += to_log_a * across
                to_row += to_log_a * down
                to_variance += to_log_a * (across * across + down * down)
            used += right - left + 1
        to_column /= variance
        to_row /= variance
        to_variance *= HALF / (variance * variance)
        per_depth = ONE / in_camera[n, 2]
        spread = (K[0] * per_depth) ** 2
        own = math.exp(TWO * gaussians[n, 3])
        to_x, to_y = K[0] * per_depth * to_column, K[1] * per_depth * to_row
        to_z = -per_depth * (
            to_x * in_camera[n, 0] + to_y * in_camera[n, 1] + TWO * to_variance * spread * (own + smoothing)
        )
        for c in range(3):
            to_gaussians[n, c] += R[0, c] * to_x + R[1, c] * to_y + R[2, c] * to_z
        to_gaussians[n, 3] += TWO * to_variance * spread * own
        to_gaussians[n, 4] += to_opacity * (ONE - opacity)
        to_gaussians[n, 5] += to_red
        to_gaussians[n, 6] += to_green
        to_gaussians[n, 7] += to_blue
        x, y, z = in_camera[n, 0] - pivot[0], in_camera[n, 1] - pivot[1], in_camera[n, 2] - pivot[2]
        to_pose[0] += to_x
        to_pose[1] += to_y
        to_pose[2] += to_z
        to_pose[3] += y * to_z - z * to_y
        to_pose[4] += z * to_x - x * to_z
        to_pose[5] += x * to_y - y * to_x


@kernel
def loss_and_gradients(
    rgb, alpha, valid, K, R, t, pivot, active, gaussians, backgrounds, smoothing, memory, to_gaussians, to_poses
):
    """Loss of the active views over `backgrounds` [V, 3]; overwrites to_gaussians [N, 8] and to_poses [V, 6]."""
    spots, in_camera, order, boxes, alphas, transmittance, colour, gradient, behind = memory
    to_gaussians[:] = ZERO
    to_poses[:] = ZERO
    weight, loss = ONE / np.float32(alpha.size), ZERO
    for view in range(len(alpha)):
        if not active[view]:
            continue
        _project(R[view], t[view], K[view], gaussians, smoothing, spots, in_camera, order[view])
        _composite(gaussians, spots, in_camera, order[view], boxes, alphas, transmittance, colour)
        loss += _image_gradient(
            rgb[view], alpha[view], valid[view], backgrounds[view], weight, transmittance, colour, gradient, behind
        )
        _backward(
            R[view], K[view], pivot[view], gaussians, smoothing, memory, order[view], to_gaussians, to_poses[view]
        )
    return loss


@kernel
def _turn(R, t, pivot, step):
    """Move one pose in place by a tangent (rho, omega)."""
    x, y, z = step[3], step[4], step[5]
    square = x * x + y * y + z * z
    angle = math.sqrt(square)
    a, b = (math.sin(angle) / angle, (1 - math.cos(angle)) / square) if angle > 1e-6 else (1.0, 0.5)
    E = np.empty((3, 3), np.float32)
    E[0, 0], E[0, 1], E[0, 2] = 1 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y
    E[1, 0], E[1, 1], E[1, 2] = b * x * y + a * z, 1 - b * (x * x + z * z), b * y * z - a * x
    E[2, 0], E[2, 1], E[2, 2] = b * x * z - a * y, b * y * z + a * x, 1 - b * (x * x + y * y)
    for c in range(3):
        r0, r1, r2 = R[0, c], R[1, c], R[2, c]
        for k in range(3):
            R[k, c] = E[k, 0] * r0 + E[k, 1] * r1 + E[k, 2] * r2
    r0, r1, r2 = t[0] - pivot[0], t[1] - pivot[1], t[2] - pivot[2]
    for k in range(3):
        t[k] = E[k, 0] * r0 + E[k, 1] * r1 + E[k, 2] * r2 + pivot[k] + step[k]


@kernel
def _move_poses(R, t, pivot, moves, to_poses, moment, second, rate):
    """Adam with one second moment that all poses share, so that their relative gradients stay what they are.

    Returns the new second moment, without bias correction.
    """
    count, square = 0, ZERO
    for view in range(len(R)):
        if moves[view]:
            count += 6
            for c in range(6):
                square += to_poses[view, c] ** 2
    if count == 0:
        return second
    second += (ONE - BETA2) * (square / count - second)
    step = np.empty(6, np.float32)
    for view in range(len(R)):
        if moves[view]:
            for c in range(6):
                moment[view, c] += (ONE - BETA1) * (to_poses[view, c] - moment[view, c])
                step[c] = -rate * moment[view, c] / math.sqrt(second)
            _turn(R[view], t[view], pivot[view], step)
    return second


@kernel
def _move_gaussians(gaussians, to_gaussians, moment, second, correction1, correction2, mean_rate):
    """Penalties on opacity and size, then a step of Adam."""
    count = len(gaussians)
    for n in range(count):
        opacity, scale = ONE / (ONE + math.exp(-gaussians[n, 4])), math.exp(gaussians[n, 3])
        to_gaussians[n, 4] += OPACITY_PENALTY / count * opacity * (ONE - opacity)
        if scale > LARGE:
            to_gaussians[n, 3] += SCALE_PENALTY / count * scale
        for c in range(8):
            g = to_gaussians[n, c]
            moment[n, c] += (ONE - BETA1) * (g - moment[n, c])
            second[n, c] += (ONE - BETA2) * (g * g - second[n, c])
            rate = mean_rate if c < 3 else SCALE_LR if c == 3 else OPACITY_LR if c == 4 else COLOUR_LR
            gaussians[n, c] -= rate * moment[n, c] * correction1 / (math.sqrt(second[n, c] * correction2) + TINY)


@kernel
def fit(
    rgb, alpha, valid, K, R, t, active, moves, gaussians, backgrounds, smoothing_px, sharp_share, pose_rate, end, losses
):
    """Fit Gaussians and poses together, in place.

    Args:
        active: [V]; views that take part.
        moves: [V]; active views whose pose is fitted.
        backgrounds: [S, V, 3] of each of the S steps.
        smoothing_px: standard deviation by which spots are blurred until the last `sharp_share` of the steps.
        pose_rate: learning rate of the poses at the start; `end` is the factor that it has fallen to at the end.
        losses: [V]; overwritten by the losses over gray of the active views, infinite for others.
    """
    views, height, width = alpha.shape
    count, steps = len(gaussians), len(backgrounds)
    memory = scratch(views, count, height, width)
    spots, in_camera, order, boxes, alphas, transmittance, colour, _, _ = memory
    to_gaussians, to_poses = np.empty((count, 8), np.float32), np.empty((views, 6), np.float32)
    moment, second = np.zeros((count, 8), np.float32), np.zeros((count, 8), np.float32)
    pose_moment, pose_second = np.zeros((views, 6), np.float32), ZERO
    pivot = t.copy()
    per_pixel = ZERO
    for view in range(views):
        per_pixel += t[view, 2] / (K[view, 0] * np.float32(views))
    for step in range(steps):
        done = np.float32(step / steps)
        smoothing = (smoothing_px * per_pixel) ** 2 if done < ONE - sharp_share else ZERO
        loss_and_gradients(
            rgb,
            alpha,
            valid,
            K,
            R,
            t,
            pivot,
            active,
            gaussians,
            backgrounds[step],
            smoothing,
            memory,
            to_gaussians,
            to_poses,
        )
        correction1, correction2 = ONE / (ONE - BETA1 ** (step + 1)), ONE / (ONE - BETA2 ** (step + 1))
        mean_rate = MEAN_LR * MEAN_LR_END**done
        _move_gaussians(gaussians, to_gaussians, moment, second, correction1, correction2, mean_rate)
        rate = pose_rate * end**done * correction1 / math.sqrt(correction2)
        pose_second = _move_poses(R, t, pivot, moves, to_poses, pose_moment, pose_second, rate)
    for view in range(views):
        losses[view] = np.inf
        if active[view]:
            _project(R[view], t[view], K[view], gaussians, ZERO, spots, in_camera, order[view])
            _composite(gaussians, spots, in_camera, order[view], boxes, alphas, transmittance, colour)
            losses[view] = _view_loss(rgb[view], alpha[view], valid[view], transmittance, colour)


@kernel
def score(rgb, alpha, valid, K, R, t, gaussians, losses):
    """Loss over gray of one photograph at each of the poses R [P, 3, 3], t [P, 3]; overwrites losses [P]."""
    height, width = alpha.shape
    spots, in_camera, order, boxes, alphas, transmittance, colour, _, _ = scratch(1, len(gaussians), height, width)
    for pose in range(len(R)):
        _project(R[pose], t[pose], K, gaussians, ZERO, spots, in_camera, order[0])
        _composite(gaussians, spots, in_camera, order[0], boxes, alphas, transmittance, colour)
        losses[pose] = _view_loss(rgb, alpha, valid, transmittance, colour)
