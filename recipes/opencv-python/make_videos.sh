#!/bin/sh
# Make the clips of the tests: 12 frames of 64 x 48 whose brightness grows by 16 from frame to frame, with a white
# square in the right half. Needs the ffmpeg command with libx264 and libvpx (Debian: ffmpeg).
set -eu
cd "$(dirname "$0")"
picture='format=gray,geq=lum=min(40+16*N\,235):cb=128:cr=128,drawbox=x=40:y=16:w=16:h=16:color=white:t=fill,format=yuv420p'
make() {
    file=$1; shift
    ffmpeg -v error -y -f lavfi -i "color=black:size=64x48:rate=12:duration=1,$picture" "$@" \
        -fflags +bitexact -flags:v +bitexact -map_metadata -1 "$file"
}
make clip.mp4 -c:v libx264 -preset veryslow -crf 18 -g 6
make clip.webm -c:v libvpx-vp9 -crf 20 -b:v 0 -g 6
make clip.avi -c:v mjpeg -q:v 3
