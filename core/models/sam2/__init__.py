"""SAM 2 on video of any length: the package's weights and modules, a session of our own around them.

    model = build("sam2.1_hiera_large", default_device())                    # build.py, core/models/device.py
    load_weights(model, Path("sam2.1_hiera_large.pt"), "sam2.1_hiera_large")  # checkpoint.py
    session = Sam2Segmenter(model, name="large, as published").start()       # segmenter.py: images in, masks out
    session.advance(first_frame)
    session.add(1, Prompt(box=(x0, y0, x1, y1)))                             # core/prompts.py
    for frame in others:
        masks = session.advance(frame)
    session.save(Path("session.safetensors"))

`predictor.py` is what the session runs on: tensors, any frame order, backward.
"""
