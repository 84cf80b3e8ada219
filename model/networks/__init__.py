"""What turns an image into bodies: ``pymaf``, of ``resnet``, ``pyramid``, ``maf``, ``regressor`` and ``iuv_head``."""
