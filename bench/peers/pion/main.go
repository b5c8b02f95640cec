// A broadcast router on pion/webrtc, as Pion's own examples "broadcast" and "sfu-ws" build one: what comes in on a
// remote track is written to a local track that all subscribers share.
//
// Orders are JSON lines on standard input, answers JSON lines on standard output; it ends with its input.
//
//	{"do": "publish", "sdp": "offer"}                 -> {"sdp": "answer"}
//	{"do": "subscribe", "sdp": "offer", "tracks": n}  -> {"sdp": "answer"}
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v5/udp"
	"github.com/pion/webrtc/v4"
)

const (
	packetMax     = 1500
	lineMax       = 1 << 20
	socketBuffer  = 4 << 20
	batchSize     = 128
	batchInterval = 2 * time.Millisecond
	trackTimeout  = 10 * time.Second
)

type order struct {
	Do     string `json:"do"`
	SDP    string `json:"sdp"`
	Tracks int    `json:"tracks"`
}

type answer struct {
	SDP   string `json:"sdp,omitempty"`
	Error string `json:"error,omitempty"`
}

// A published stream: where it comes from and the track that subscribers share.
type stream struct {
	publisher *webrtc.PeerConnection
	ssrc      uint32
	local     *webrtc.TrackLocalStaticRTP
}

type router struct {
	api     *webrtc.API
	mutex   sync.Mutex
	streams []stream
	arrived chan struct{}
}

// newAPI has VP8, NACK, reports and transport-wide feedback; one socket for all connections, on loopback, whose writes
// are gathered into sendmmsg by Pion's own batching: a quarter less time than a socket for each connection.
func newAPI() (*webrtc.API, error) {
	media := &webrtc.MediaEngine{}
	feedback := []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}}
	vp8 := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000, RTCPFeedback: feedback}
	if err := media.RegisterCodec(
		webrtc.RTPCodecParameters{RTPCodecCapability: vp8, PayloadType: 96}, webrtc.RTPCodecTypeVideo,
	); err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	for _, configure := range []func(*webrtc.MediaEngine, *interceptor.Registry) error{
		webrtc.ConfigureNack,
		func(_ *webrtc.MediaEngine, r *interceptor.Registry) error { return webrtc.ConfigureRTCPReports(r) },
		webrtc.ConfigureTWCCSender,
	} {
		if err := configure(media, registry); err != nil {
			return nil, err
		}
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(conn.SetReadBuffer(socketBuffer), conn.SetWriteBuffer(socketBuffer)); err != nil {
		return nil, err
	}
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	batched := udp.NewBatchConn(conn, batchSize, batchInterval)
	settings.SetICEUDPMux(ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: batched}))
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings),
	), nil
}

func (r *router) publish(offer string) (string, error) {
	connection, err := r.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	if _, err := connection.AddTransceiverFromKind(
		webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly},
	); err != nil {
		return "", err
	}
	connection.OnTrack(func(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { r.forward(connection, remote) })
	return settle(connection, offer)
}

// forward is the way of a media packet; header extensions are of one connection only, so they end here.
func (r *router) forward(connection *webrtc.PeerConnection, remote *webrtc.TrackRemote) {
	local, err := webrtc.NewTrackLocalStaticRTP(remote.Codec().RTPCodecCapability, remote.ID(), remote.StreamID())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	r.mutex.Lock()
	r.streams = append(r.streams, stream{connection, uint32(remote.SSRC()), local})
	r.mutex.Unlock()
	r.arrived <- struct{}{}
	buffer := make([]byte, packetMax)
	packet := &rtp.Packet{}
	for {
		size, _, err := remote.Read(buffer)
		if err != nil {
			return
		}
		if err := packet.Unmarshal(buffer[:size]); err != nil {
			continue
		}
		packet.Extension = false
		packet.Extensions = nil
		_ = local.WriteRTP(packet)
	}
}

func (r *router) subscribe(offer string, wanted int) (string, error) {
	streams, err := r.waitFor(wanted)
	if err != nil {
		return "", err
	}
	connection, err := r.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	for _, published := range streams {
		sender, err := connection.AddTrack(published.local)
		if err != nil {
			return "", err
		}
		go answerFeedback(sender, published)
	}
	return settle(connection, offer)
}

func (r *router) waitFor(wanted int) ([]stream, error) {
	timeout := time.After(trackTimeout)
	for {
		r.mutex.Lock()
		streams := r.streams
		r.mutex.Unlock()
		if len(streams) >= wanted {
			return streams, nil
		}
		select {
		case <-r.arrived:
		case <-timeout:
			return nil, fmt.Errorf("%d of %d tracks came", len(streams), wanted)
		}
	}
}

// answerFeedback reads what a subscriber says, so that interceptors see it, and passes on requests for key frames.
func answerFeedback(sender *webrtc.RTPSender, published stream) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			if _, is := packet.(*rtcp.PictureLossIndication); is {
				_ = published.publisher.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: published.ssrc}})
			}
		}
	}
}

func settle(connection *webrtc.PeerConnection, offer string) (string, error) {
	description := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}
	if err := connection.SetRemoteDescription(description); err != nil {
		return "", err
	}
	created, err := connection.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(connection)
	if err := connection.SetLocalDescription(created); err != nil {
		return "", err
	}
	<-gathered
	return connection.LocalDescription().SDP, nil
}

func (r *router) carryOut(line []byte) answer {
	var asked order
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{Error: err.Error()}
	}
	var sdp string
	var err error
	switch asked.Do {
	case "publish":
		sdp, err = r.publish(asked.SDP)
	case "subscribe":
		sdp, err = r.subscribe(asked.SDP, asked.Tracks)
	default:
		err = fmt.Errorf("no order %q", asked.Do)
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{SDP: sdp}
}

func main() {
	api, err := newAPI()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	served := &router{api: api, arrived: make(chan struct{}, 256)}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, lineMax), lineMax)
	output := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		if err := output.Encode(served.carryOut(lines.Bytes())); err != nil {
			return
		}
	}
}
